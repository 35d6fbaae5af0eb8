/**
 * The main thread's prober, as the configuration in force has it. A reload forgets what servers showed; one that changes
 * the prober's own settings replaces it, and the questions that the former was asked are still answered by it. Knows no
 * packets and no threads.
 */
import type { ProbeAnswer, Prober, ProbeRequest } from '../judge/ports.ts';
import type { Policy, Situations } from '../pins/policy.ts';
import { MirrorProber, type ProbeCounts } from '../probe/prober.ts';
import type { NativeBinding } from '../source/binding.ts';

/** As much of a MirrorProber as is used. */
export interface ClosableProber extends Prober {
  readonly counts?: ProbeCounts;
  forget(): void;
  close(): void;
}

/** `onInconsistent`: a server showed another chain than before, to the same question. */
export type CreateProber = (policy: Policy, onInconsistent: (request: ProbeRequest) => void) => ClosableProber;

export interface ProbingOptions {
  readonly policy: Policy;
  readonly create: CreateProber;
  readonly onInconsistent: (request: ProbeRequest) => void;
}

export class Probing implements Prober {
  readonly #options: ProbingOptions;
  /** Replaced ones, until their last question is answered. */
  readonly #former = new Map<ClosableProber, NodeJS.Timeout>();
  #prober: ClosableProber;
  #policy: Policy;

  constructor(options: ProbingOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#prober = options.create(options.policy, options.onInconsistent);
  }

  /** Since the last change of the prober's own settings; null where it does not count. */
  get counts(): ProbeCounts | null {
    return this.#prober.counts ?? null;
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void): void {
    this.#prober.probe(request, done);
  }

  adopt(policy: Policy): void {
    const before = this.#policy;
    this.#policy = policy;
    if (settingsOf(before) === settingsOf(policy)) return this.#prober.forget();
    this.#retire(this.#prober, before.probe.timeout);
    this.#prober = this.#options.create(policy, this.#options.onInconsistent);
  }

  /** Every question is answered now. */
  close(): void {
    for (const [prober, timer] of this.#former) {
      clearTimeout(timer);
      prober.close();
    }
    this.#former.clear();
    this.#prober.close();
  }

  /** `timeout`: at which the last of its questions is answered. */
  #retire(prober: ClosableProber, timeout: number): void {
    const timer = setTimeout(() => {
      this.#former.delete(prober);
      prober.close();
    }, timeout + RETIREMENT_MARGIN_MS);
    timer.unref();
    this.#former.set(prober, timer);
  }
}

export function mirrorProbers({ setMark }: Pick<NativeBinding, 'setMark'>): CreateProber {
  return (policy, onInconsistent) =>
    new MirrorProber({
      ...policy.probe,
      limits: policy.limits,
      mark: { value: policy.probe.mark, set: setMark },
      onInconsistent,
    });
}

/** Whether there are flows whose servers would be asked. */
export function canProbe({ pinsets, pinned, unpinned }: Policy): boolean {
  const selected = pinsets.length === 0 ? [] : [pinned, ...pinsets.map(({ situations }) => situations)];
  return [unpinned, ...selected].some(asks);
}

function asks({ tls13, resumed }: Situations): boolean {
  return tls13.includes('probe') || resumed === 'bound-else-probe';
}

function settingsOf({ probe, limits }: Policy): string {
  return JSON.stringify([probe, limits]);
}

const RETIREMENT_MARGIN_MS = 1_000;
