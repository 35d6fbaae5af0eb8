/**
 * Puts netfilter's rules in place again, as the configuration says how. What was open meanwhile went by unseen, so none of it
 * counts as accepted. Whoever takes them away again and again is not fought: after a few times it is given up for a while.
 */
import type { KeptRules, Policy } from '../../../pins/policy.ts';
import { feedRules } from './apply.ts';
import { feedProgram, type FeedProgram } from '../../programs/program.ts';
import { renderBeside, renderRules } from '../render.ts';

/** `failed`: with what the program has said. */
export type Restoration = 'restored' | 'given up' | { readonly failed: string };

export class RulesKeeper {
  readonly #feed: FeedProgram;
  /** When it was tried of late; milliseconds on a clock that nobody sets. */
  #tries: number[] = [];

  constructor(feed: FeedProgram = feedProgram) {
    this.#feed = feed;
  }

  async restore(policy: Policy, kept: KeptRules): Promise<Restoration> {
    const now = performance.now();
    this.#tries = this.#tries.filter((at) => now - at < PERIOD_MS);
    if (this.#tries.length >= TRIES) return 'given up';
    this.#tries.push(now);
    const { hooks, format, quic, queueUdp, queueBypass } = kept;
    for (const hook of hooks) {
      const options = { hook, format, quic, queueUdp, queueBypass, established: 'midstream' } as const;
      const beside = renderBeside(policy, hook, format);
      if (beside !== undefined) await this.#feed('sh', [], beside, PATIENCE_MS);
      const failed = await feedRules(renderRules(policy, options), format, this.#feed, PATIENCE_MS);
      if (failed !== undefined) return { failed };
    }
    return 'restored';
  }
}

const TRIES = 3;
export const PERIOD_MS = 600_000;
/** What takes longer is ended, and tried again. */
const PATIENCE_MS = 20_000;
