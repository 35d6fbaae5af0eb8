/** A prober around another one that tells how long its answers take, of those that were not in memory. */
import type { ProbeAnswer, ProbeEnds, ProbeFailure, ProbeRequest } from '../../judge/ports.ts';
import type { Policy } from '../../pins/policy.ts';
import type { KeptAnswers } from '../../probe/cache.ts';
import type { ProbeCounts } from '../../probe/counts.ts';
import type { OriginState, ProbeWays } from '../../probe/origin.ts';
import type { ClosableProber, CreateProber } from '../probing/probing.ts';

export type ProbeOutcome = 'certificates' | ProbeFailure;

export type OnProbed = (outcome: ProbeOutcome, millis: number) => void;

export function timedProbers(create: CreateProber, onProbed: OnProbed): CreateProber {
  return (policy, onInconsistent) => new TimedProber(create(policy, onInconsistent), onProbed);
}

class TimedProber implements ClosableProber {
  readonly #prober: ClosableProber;
  readonly #onProbed: OnProbed;

  constructor(prober: ClosableProber, onProbed: OnProbed) {
    this.#prober = prober;
    this.#onProbed = onProbed;
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    const asked = performance.now();
    const answered = (answer: ProbeAnswer): void => {
      if (!answer.fromCache) {
        this.#onProbed(answer.kind === 'failed' ? answer.reason : answer.kind, performance.now() - asked);
      }
      done(answer);
    };
    this.#prober.probe(request, answered, connected);
  }

  accompany(ends: ProbeEnds, go: () => void): void {
    this.#prober.accompany(ends, go);
  }

  onSpokenFor(request: ProbeRequest, times: number): void {
    this.#prober.onSpokenFor(request, times);
  }

  get counts(): ProbeCounts | undefined {
    return this.#prober.counts;
  }

  get origins(): OriginState | undefined {
    return this.#prober.origins;
  }

  onWays(ways: ProbeWays): void {
    this.#prober.onWays?.(ways);
  }

  configure(policy: Policy['probe'], limits: Policy['limits']): void {
    this.#prober.configure(policy, limits);
  }

  keep(): KeptAnswers | undefined {
    return this.#prober.keep?.();
  }

  restore(kept: KeptAnswers): void {
    this.#prober.restore?.(kept);
  }

  close(): void {
    this.#prober.close();
  }
}
