/**
 * The decisions of late, for who asks why a flow was decided as it was, and how many there were of each kind since the
 * start. Bounded in number and in octets: the oldest go first.
 */
import type { FlowEvent, VerdictEvent } from '../../judge/events.ts';
import type { Policy } from '../../pins/policy.ts';

export interface RecentVerdict {
  /** Counts decisions from 1, in the order in which they were heard of. */
  readonly number: number;
  readonly queue: number;
  readonly event: VerdictEvent;
}

export interface RecentVerdictsBounds {
  readonly flows: number;
  readonly octets: number;
}

export class RecentVerdicts {
  readonly #bounds: RecentVerdictsBounds;
  readonly #recent = new Set<RecentVerdict & { readonly octets: number }>();
  readonly #counts = new Map<string, number>();
  readonly #policies: Policy[] = [];
  #octets = 0;
  #anomalies = 0;
  #last = 0;
  readonly #listeners: ((verdict: RecentVerdict) => void)[] = [];

  constructor(policy: Policy, bounds: RecentVerdictsBounds = BOUNDS) {
    this.#bounds = bounds;
    this.adopt(policy);
  }

  /** By `action reason`. */
  get counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  get anomalies(): number {
    return this.#anomalies;
  }

  /** The number of the latest; 0: there was none. */
  get last(): number {
    return this.#last;
  }

  /** Its verdicts come from now on, and some of those before it. As many are known at the most. */
  adopt(policy: Policy): void {
    this.#policies.push(policy);
    if (this.#policies.length > POLICIES) this.#policies.shift();
  }

  /** The one that decided, as far as it is still known: a decision does not keep its whole configuration. */
  policyOf({ config }: VerdictEvent): Policy | undefined {
    return this.#policies.findLast(({ hash }) => hash === config);
  }

  take(events: readonly FlowEvent[], queue: number): void {
    for (const event of events) {
      if (event.kind === 'anomaly') this.#anomalies++;
      if (event.kind === 'verdict') this.#add(event, queue);
    }
  }

  /** Has somebody told of each as it comes. */
  listen(listener: (verdict: RecentVerdict) => void): void {
    this.#listeners.push(listener);
  }

  /** The latest first. */
  *latest(): Iterable<RecentVerdict> {
    yield* [...this.#recent].reverse();
  }

  #add(event: VerdictEvent, queue: number): void {
    const kind = `${event.action} ${event.reason}`;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const octets = octetsOf(event);
    const verdict = { number: ++this.#last, queue, event, octets };
    this.#recent.add(verdict);
    for (const listener of this.#listeners) listener(verdict);
    this.#octets += octets;
    for (const oldest of this.#recent) {
      if (this.#recent.size <= this.#bounds.flows && this.#octets <= this.#bounds.octets) break;
      this.#recent.delete(oldest);
      this.#octets -= oldest.octets;
    }
  }
}

function octetsOf({ tls }: VerdictEvent): number {
  if (tls === null) return OVERHEAD;
  const certificates = [...tls.certificates, ...tls.clientCertificates];
  return certificates.reduce((sum, part) => sum + part.length, OVERHEAD);
}

const BOUNDS: RecentVerdictsBounds = { flows: 2_000, octets: 16 * 1024 * 1024 };
/** What an event takes besides its octets, about. */
const OVERHEAD = 1_000;
const POLICIES = 8;
