/**
 * Tells ahead what is going to end while tlspin runs: pins and pinsets, thirty days, a week and a day before. What was so
 * near when the configuration was loaded has been said then. To look each second: nothing else happens when time passes.
 */
import type { AnomalyEvent } from '../../judge/events.ts';
import type { Policy } from '../../pins/policy.ts';

export interface ExpiriesOptions {
  readonly policy: () => Policy;
  readonly log: { write(events: readonly AnomalyEvent[]): void };
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class Expiries {
  readonly #options: ExpiriesOptions;
  /** Of this policy; another one is looked through anew. */
  #policy: Policy | undefined;
  #ends: End[] = [];

  constructor(options: ExpiriesOptions) {
    this.#options = options;
  }

  look(): void {
    const policy = this.#options.policy();
    const now = Date.now();
    if (policy !== this.#policy) {
      this.#policy = policy;
      this.#ends = endsOf(policy).map((end) => ({ ...end, told: stageOf(end.at - now) }));
    }
    for (const end of this.#ends) {
      const stage = stageOf(end.at - now);
      if (stage >= end.told) continue;
      end.told = stage;
      if (end.at > now) this.#tell(end, now);
    }
  }

  #tell({ what, at }: End, now: number): void {
    const { say, log } = this.#options;
    const left = Math.ceil((at - now) / DAY_MS);
    const detail = `${what} ends on ${new Date(at).toISOString()}, in ${left === 1 ? 'a day' : `${left} days`}`;
    say(`ahead of time: ${detail}`);
    const time = now * 1000;
    log.write([{ kind: 'anomaly', time, flowId: 0, client: null, server: null, code: 'pin.expires-soon', detail }]);
  }
}

interface End {
  readonly what: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** The last stage that was told. */
  told: number;
}

/** What has an end; of a list's entries, which have none of their own, nothing. */
function endsOf({ pinsets }: Policy): Omit<End, 'told'>[] {
  return pinsets.flatMap(({ name, expires, pins }) => [
    ...(expires === null ? [] : [{ what: `the pinset ${name}`, at: expires }]),
    ...pins.flatMap((pin) =>
      pin.expires === null ? [] : [{ what: `the pin ${pin.canonical} of the pinset ${name}`, at: pin.expires }],
    ),
  ]);
}

/** The fewest days of a stage that is reached; Infinity: none is. */
function stageOf(left: number): number {
  return STAGES.find((days) => left <= days * DAY_MS) ?? Infinity;
}

const DAY_MS = 86_400_000;
/** Days. */
const STAGES = [1, 7, 30];
