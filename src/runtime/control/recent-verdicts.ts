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

interface Kept extends RecentVerdict {
  readonly octets: number;
}

export interface RecentVerdictsBounds {
  readonly flows: number;
  readonly octets: number;
}

export class RecentVerdicts {
  readonly #bounds: RecentVerdictsBounds;
  /** The oldest first; those ahead of `#oldest` are gone. */
  #recent: (Kept | undefined)[] = [];
  #oldest = 0;
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
    yield* this.#recent.slice(this.#oldest).reverse() as Kept[];
  }

  #add(event: VerdictEvent, queue: number): void {
    const kind = `${event.action} ${event.reason}`;
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1);
    const octets = octetsOf(event);
    const verdict = { number: ++this.#last, queue, event, octets };
    this.#recent.push(verdict);
    for (const listener of this.#listeners) listener(verdict);
    this.#octets += octets;
    const { flows, octets: most } = this.#bounds;
    while (this.#recent.length - this.#oldest > flows || this.#octets > most) this.#forgetOldest();
  }

  #forgetOldest(): void {
    this.#octets -= this.#recent[this.#oldest]!.octets;
    this.#recent[this.#oldest++] = undefined;
    // Room is made for as many at once as there are left.
    if (this.#oldest * 2 < this.#recent.length) return;
    this.#recent = this.#recent.slice(this.#oldest);
    this.#oldest = 0;
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
