/** A line of hosts with the engine on the gateway, for several experiments, one after the other. */
import { Engine } from './engine.ts';
import type { EngineOptions, VerdictRecord } from './engine.ts';
import { Lab } from './lab.ts';
import type { LabOptions } from './lab.ts';

export class Scene {
  readonly lab: Lab;
  #engine: Engine | undefined;
  #logged = 0;

  private constructor(lab: Lab) {
    this.lab = lab;
  }

  /** `prepare` runs ahead of the engine: its result is the configuration. */
  static async create(
    prepare: (lab: Lab) => object | Promise<object>,
    options: LabOptions & Omit<EngineOptions, 'config'> = {},
  ): Promise<Scene> {
    const scene = new Scene(new Lab(options));
    try {
      const config = await prepare(scene.lab);
      scene.#engine = await Engine.start(scene.lab, { ...options, config });
      return scene;
    } catch (error) {
      await scene.close();
      throw error;
    }
  }

  get engine(): Engine {
    return this.#engine!;
  }

  /** What was logged so far belongs to former experiments. */
  begin(): void {
    this.#logged = this.engine.verdicts.length;
  }

  /** The first record of this experiment. */
  async verdict(): Promise<VerdictRecord> {
    return this.engine.next(this.#logged);
  }

  /** The first `count` of them. */
  async verdicts(count: number): Promise<VerdictRecord[]> {
    return (await this.engine.logged(this.#logged + count)).slice(this.#logged);
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}
