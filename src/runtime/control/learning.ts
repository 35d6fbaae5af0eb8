/** What was learned, for whoever asks over the control socket: shown page by page, and forgotten. Knows no sockets. */
import type { ForgetRequest, ForgottenHost } from '../../learn/forget.ts';
import type { Learner } from '../../learn/learner.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface LearnControl {
  show(after: number, limit: number): Fields;
  /** Rejects with a sentence, nothing changed. */
  forget(request: ForgetRequest, by: string): Promise<Fields>;
}

export interface LearningOptions {
  readonly learner: Pick<Learner, 'limits' | 'shared' | 'hosts' | 'elsewhere'>;
  /** Daemon.forget. */
  readonly forget: (request: ForgetRequest) => Promise<{ forgotten: readonly ForgottenHost[]; generation: number }>;
  readonly onForgotten: (by: string, forgotten: readonly ForgottenHost[], generation: number) => void;
  readonly onRefused: (by: string, error: string) => void;
}

export class Learning implements LearnControl {
  readonly #options: LearningOptions;

  constructor(options: LearningOptions) {
    this.#options = options;
  }

  /** As of now: the file may be some seconds behind. */
  show(after: number, limit: number): Fields {
    const { learner } = this.#options;
    const { observations, spacing, hosts, keys } = learner.limits;
    const all = [...learner.hosts()];
    return {
      limits: { observations, spacing, hosts, keys },
      shared: after === 0 ? learner.shared : {},
      hosts: all.slice(after, after + limit).map(([pinset, host, learned]) => {
        return { pinset, host, learned, elsewhere: learner.elsewhere(pinset, host) };
      }),
      next: after + limit < all.length ? after + limit : null,
    };
  }

  async forget(request: ForgetRequest, by: string): Promise<Fields> {
    const { forget, onForgotten, onRefused } = this.#options;
    try {
      const { forgotten, generation } = await forget(request);
      onForgotten(by, forgotten, generation);
      return { forgotten, generation };
    } catch (error) {
      onRefused(by, (error as Error).message);
      throw error;
    }
  }
}
