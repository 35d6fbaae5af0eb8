/**
 * Holds what visitors had against what the log says: what was delivered that was forged, what was denied that was genuine,
 * which connection has no record. Knows no network.
 */
import type { Visit, VisitOutcome } from '../support/lab/visitors.ts';
import type { Gap } from './site.ts';

export interface Visited extends Visit, VisitOutcome {
  readonly from: number;
  readonly until: number;
}

export interface Unexplained extends Visited {
  readonly verdict: string | undefined;
}

export interface Sums {
  readonly connections: number;
  readonly forged: number;
  readonly forgedDelivered: number;
  /** Genuine or unpinned, outside of gaps, and refused. */
  readonly wrongDenials: number;
  /** Likewise, and neither served nor refused. */
  readonly unanswered: number;
  readonly inGaps: number;
  readonly unrecorded: number;
  readonly tornLines: number;
}

interface VerdictLine {
  readonly event_type: string;
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_port: number;
  readonly verdict?: { readonly action: string; readonly reason: string };
}

export class Reckoning {
  readonly #visited: Visited[] = [];
  /** Records by client, its port and the server's. */
  readonly #records = new Map<string, number>();
  /** Verdicts by the same. */
  readonly #verdicts = new Map<string, string>();
  readonly #reasons = new Map<string, number>();
  #tornLines = 0;

  visited(one: Visited): void {
    this.#visited.push(one);
  }

  logged(lines: readonly string[]): void {
    for (const line of lines) {
      const record = parse(line);
      if (record === undefined) this.#tornLines++;
      if (record?.event_type !== 'verdict') continue;
      const key = keyOf(record.src_ip.includes(':') ? 6 : 4, record.src_port, record.dest_port);
      const verdict = `${record.verdict!.action} ${record.verdict!.reason}`;
      increment(this.#records, key);
      increment(this.#reasons, verdict);
      this.#verdicts.set(key, verdict);
    }
  }

  /** How often which verdict was logged. */
  get reasons(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#reasons].sort(([, a], [, b]) => b - a));
  }

  /** When everything is over: the log is whole. */
  sums(gaps: readonly Gap[], portOf: (kind: Visit['kind']) => number): Sums {
    const isInGap = ({ from, until }: Visited): boolean => gaps.some((gap) => from <= gap.until && until >= gap.from);
    const calm = this.#visited.filter((one) => !isInGap(one));
    const forged = this.#visited.filter(({ kind }) => kind === 'forged');
    const honest = calm.filter(({ kind, shook, outcome }) => kind !== 'forged' && !(shook && outcome === 'served'));
    const expected = new Map<string, number>();
    for (const { ip = 4, port, kind } of calm) {
      if (port !== undefined) increment(expected, keyOf(ip, port, portOf(kind)));
    }
    let unrecorded = 0;
    for (const [key, count] of expected) unrecorded += Math.max(0, count - (this.#records.get(key) ?? 0));
    return {
      connections: this.#visited.length,
      forged: forged.length,
      forgedDelivered: forged.filter(({ shook, outcome }) => shook || outcome === 'served').length,
      wrongDenials: honest.filter(({ outcome }) => REFUSED.has(outcome)).length,
      unanswered: honest.filter(({ outcome }) => !REFUSED.has(outcome)).length,
      inGaps: this.#visited.length - calm.length,
      unrecorded,
      tornLines: this.#tornLines,
    };
  }

  /** Those of the honest that were not served though no gap explains it, with the last verdict of their ports. */
  unexplained(gaps: readonly Gap[], portOf: (kind: Visit['kind']) => number): Unexplained[] {
    return this.#visited
      .filter(
        (one) =>
          one.kind !== 'forged' &&
          one.outcome !== 'served' &&
          !gaps.some((gap) => one.from <= gap.until && one.until >= gap.from),
      )
      .map((one) => ({ ...one, verdict: this.#verdicts.get(keyOf(one.ip ?? 4, one.port ?? 0, portOf(one.kind))) }));
  }
}

const REFUSED = new Set(['alert', 'reset']);

function keyOf(ip: 4 | 6, port: number, serverPort: number): string {
  return `${ip} ${port} ${serverPort}`;
}

function parse(line: string): VerdictLine | undefined {
  try {
    return JSON.parse(line) as VerdictLine;
  } catch {
    return undefined;
  }
}

function increment(counts: Map<string, number>, key: string): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
