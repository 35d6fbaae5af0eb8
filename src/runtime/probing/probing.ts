/**
 * The main thread's prober, as the configuration in force has it. What servers showed does not depend on the configuration,
 * only what it is worth: a reload, or a list that changes, makes nobody ask again. Knows no packets and no threads.
 */
import type { ProbeAnswer, ProbeEnds, Prober, ProbeRequest } from '../../judge/ports.ts';
import type { Policy, Situations } from '../../pins/policy.ts';
import type { KeptAnswers } from '../../probe/cache.ts';
import type { ProbeCounts } from '../../probe/counts.ts';
import { Origins, type OriginsOptions, type OriginState, type ProbeWays, type Streams } from '../../probe/origin.ts';
import { MirrorProber, type OnInconsistent } from '../../probe/prober.ts';
import type { NativeBinding } from '../../source/binding.ts';
import type { DialledMemory } from './dialled.ts';

/** As much of a MirrorProber as is used. */
export interface ClosableProber extends Prober {
  readonly counts?: ProbeCounts | undefined;
  accompany: NonNullable<Prober['accompany']>;
  configure(policy: Policy['probe'], limits: Policy['limits']): void;
  onSpokenFor(request: ProbeRequest, times: number): void;
  /** Whose address probes leave with. */
  readonly origins?: OriginState | undefined;
  onWays?(ways: ProbeWays): void;
  /** What servers showed lately, for another process. */
  keep?(): KeptAnswers | undefined;
  restore?(kept: KeptAnswers): void;
  close(): void;
}

/** `onInconsistent`: a server showed another chain than before, to the same question. */
export type CreateProber = (policy: Policy, onInconsistent: OnInconsistent) => ClosableProber;

export interface ProbingOptions {
  readonly policy: Policy;
  readonly create: CreateProber;
  readonly onInconsistent: OnInconsistent;
}

export class Probing implements Prober {
  readonly #prober: ClosableProber;

  constructor({ policy, create, onInconsistent }: ProbingOptions) {
    this.#prober = create(policy, onInconsistent);
  }

  /** Null where it does not count. */
  get counts(): ProbeCounts | null {
    return this.#prober.counts ?? null;
  }

  /** Null where there is but one. */
  get origins(): OriginState | null {
    return this.#prober.origins ?? null;
  }

  onWays(ways: ProbeWays): void {
    this.#prober.onWays?.(ways);
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    this.#prober.probe(request, done, connected);
  }

  accompany(ends: ProbeEnds, go: () => void): void {
    this.#prober.accompany(ends, go);
  }

  /** A packet thread gave that many questions like this one the answer that the last one had. */
  onSpokenFor(request: ProbeRequest, times: number): void {
    this.#prober.onSpokenFor(request, times);
  }

  adopt({ probe, limits }: Policy): void {
    this.#prober.configure(probe, limits);
  }

  /** Null where nothing is remembered. */
  keep(): KeptAnswers | null {
    return this.#prober.keep?.() ?? null;
  }

  restore(kept: KeptAnswers | null): void {
    if (kept !== null) this.#prober.restore?.(kept);
  }

  /** Every question is answered now. */
  close(): void {
    this.#prober.close();
  }
}

export interface ProbeSurroundings extends Pick<OriginsOptions, 'bridge' | 'reaches'> {
  /** Told of each probe that leaves with its client's address. */
  readonly dialled?: DialledMemory;
}

export function mirrorProbers(
  { setMark, ...streams }: ProbeSockets,
  { dialled, ...around }: ProbeSurroundings = {},
): CreateProber {
  return (policy, onInconsistent) =>
    new MirrorProber({
      ...policy.probe,
      limits: policy.limits,
      mark: { value: policy.probe.mark, set: setMark },
      origins: new Origins({ streams, onDialled: (probe) => dialled?.add(probe), ...around }),
      onInconsistent,
    });
}

type ProbeSockets = Pick<NativeBinding, 'setMark'> & Streams;

/** Whether there are flows whose servers would be asked. */
export function canProbe({ pinsets, pinned, unpinned }: Policy): boolean {
  const selected = pinsets.length === 0 ? [] : [pinned, ...pinsets.map(({ situations }) => situations)];
  return [unpinned, ...selected].some(asks);
}

function asks({ tls13, resumed }: Situations): boolean {
  return tls13.includes('probe') || resumed === 'bound-else-probe';
}
