/**
 * What was decided, by cause: decisions that have the same outcome for the same reason, by the same pinset, on the same
 * key of the server's. Counts, and keeps the first and the last of each; memory grows with causes, not with decisions.
 */
import type { VerdictRecord } from '../../report/schema.ts';

/** In the names of the log. */
export interface Cause {
  readonly action: string;
  /** In report-only and learn: what enforce had done. */
  readonly would: string | null;
  readonly reason: VerdictRecord['verdict']['reason'];
  readonly pinset: string | null;
  readonly mode: string;
  readonly fault: string | null;
  /** The server's own certificate; null where none was seen. */
  readonly leaf: LeafOfRecord | null;
  /** Decisions, or packets of `midstream`. */
  count: number;
  first: string;
  last: string;
  /** Of the last one. */
  flow_id: VerdictRecord['flow_id'];
  config: string;
  readonly clients: Tally;
  readonly servers: Tally;
  readonly names: Tally;
  /** Of a fleet: who decided. */
  readonly gateways: Tally;
}

export type LeafOfRecord = NonNullable<VerdictRecord['tls']>['certificates'][number];

/** How often each was seen; beyond a bound the others are counted together. */
export class Tally {
  readonly #counts = new Map<string, number>();
  #others = 0;

  add(value: string, count: number): void {
    const before = this.#counts.get(value);
    if (before === undefined && this.#counts.size >= MOST) this.#others += count;
    else this.#counts.set(value, (before ?? 0) + count);
  }

  /** The most frequent first. */
  get sorted(): readonly (readonly [value: string, count: number])[] {
    return [...this.#counts].sort((a, b) => b[1] - a[1]);
  }

  /** Whether there were more than are told apart. */
  get isFull(): boolean {
    return this.#others > 0;
  }

  toJSON(): object {
    return Object.fromEntries(this.sorted);
  }
}

export class Causes {
  readonly #causes = new Map<string, Cause>();

  add(record: VerdictRecord, gateway?: string): void {
    const cause = this.#causeOf(record);
    const count = record.verdict.packets ?? 1;
    cause.count += count;
    cause.clients.add(record.src_ip, count);
    cause.servers.add(`${record.dest_ip} ${record.dest_port}`, count);
    if (record.tls?.sni !== undefined) cause.names.add(record.tls.sni, count);
    if (gateway !== undefined) cause.gateways.add(gateway, count);
    if (record.timestamp < cause.first) cause.first = record.timestamp;
    if (record.timestamp < cause.last) return;
    cause.last = record.timestamp;
    cause.flow_id = record.flow_id;
    cause.config = record.verdict.config;
  }

  /** What was denied ahead of what was let pass, and the latest first. */
  get sorted(): Cause[] {
    return [...this.#causes.values()].sort(
      (a, b) => Number(isDenied(b)) - Number(isDenied(a)) || (a.last < b.last ? 1 : a.last > b.last ? -1 : 0),
    );
  }

  #causeOf({ timestamp, flow_id: flow, verdict, tls }: VerdictRecord): Cause {
    const { action, would = null, reason, pinset, mode, fault = null, config } = verdict;
    const leaf = tls?.certificates[0] ?? null;
    const key = JSON.stringify([action, would, reason, pinset, mode, fault, leaf?.spki_sha256 ?? leaf?.sha256]);
    let cause = this.#causes.get(key);
    if (cause === undefined) {
      const tallies = { clients: new Tally(), servers: new Tally(), names: new Tally(), gateways: new Tally() };
      const of = { action, would, reason, pinset, mode, fault, leaf };
      cause = { ...of, count: 0, first: timestamp, last: timestamp, flow_id: flow, config, ...tallies };
      this.#causes.set(key, cause);
    }
    return cause;
  }
}

/** Tells a record from all others, wherever it is read. */
export function identityOf({ timestamp, flow_id: flow, src_ip: client, src_port: port }: VerdictRecord): string {
  return `${timestamp} ${flow} ${client} ${port}`;
}

/** Or would have been. */
export function isDenied({ action, would }: Pick<Cause, 'action' | 'would'>): boolean {
  return action !== 'accept' || (would !== null && would !== 'accept');
}

const MOST = 1_000;
