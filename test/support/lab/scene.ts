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

  /** The first record of this experiment; of one server's port, where others may still have something to say. */
  async verdict(port?: number): Promise<VerdictRecord> {
    return (await this.verdicts(1, port))[0]!;
  }

  /** All of them, when there are so many. */
  async verdicts(count: number, port?: number): Promise<VerdictRecord[]> {
    const seen = (): VerdictRecord[] =>
      this.engine.verdicts.slice(this.#logged).filter((record) => port === undefined || record.dest_port === port);
    const deadline = Date.now() + PATIENCE;
    while (seen().length < count) {
      if (Date.now() > deadline) {
        const said = seen().map(({ verdict }) => `${verdict.action}/${verdict.reason}`);
        throw new Error(`verdicts instead of ${count}: ${said.join(', ')}; stderr: ${this.engine.child.errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return seen();
  }

  close(): Promise<void> {
    return this.lab.close();
  }
}

/** Milliseconds. */
const PATIENCE = 8_000;
