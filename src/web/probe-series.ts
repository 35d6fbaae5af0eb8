/**
 * How probes went, minute by minute of the last day, out of what the engine counts from its start: the console asks each
 * two seconds, and an engine that is started anew begins anew. Bounded in minutes.
 */
import type { StatusAnswer } from '../runtime/control/status.ts';
import type { ProbeMinutes } from './api.ts';

export class ProbeSeries {
  readonly #minutes = new Map<number, Minute>();
  #before: Standing | undefined;

  take({ pid, probes, probe_times: times }: Pick<StatusAnswer, 'pid' | 'probes' | 'probe_times'>, atMs: number): void {
    const now = { pid, asked: probes?.asked ?? 0, failed: probes?.failed ?? 0, counts: perBound(times?.counts ?? []) };
    const before = this.#before;
    this.#before = now;
    // What was before the console came is of no minute that it knows.
    if (before === undefined) return;
    const from = before.pid === pid ? before : undefined;
    const at = Math.floor(atMs / MINUTE_MS) * 60;
    const minute = this.#minuteAt(at);
    minute.asked += now.asked - (from?.asked ?? 0);
    minute.failed += now.failed - (from?.failed ?? 0);
    minute.bounds = times?.le_ms ?? [];
    minute.counts = now.counts.map((count, i) => (minute.counts[i] ?? 0) + count - (from?.counts[i] ?? 0));
  }

  /** Of the minutes that are asked for. */
  read(at: readonly number[]): ProbeMinutes {
    const minutes = at.map((each) => this.#minutes.get(each));
    return {
      asked: minutes.map((minute) => minute?.asked ?? 0),
      failed: minutes.map((minute) => minute?.failed ?? 0),
      p50_ms: minutes.map((minute) => boundOf(minute, 0.5)),
      p95_ms: minutes.map((minute) => boundOf(minute, 0.95)),
    };
  }

  #minuteAt(at: number): Minute {
    const known = this.#minutes.get(at);
    if (known !== undefined) return known;
    const minute: Minute = { asked: 0, failed: 0, bounds: [], counts: [] };
    this.#minutes.set(at, minute);
    for (const old of this.#minutes.keys()) if (old <= at - DAY_S) this.#minutes.delete(old);
    return minute;
  }
}

interface Minute {
  asked: number;
  failed: number;
  /** Milliseconds, as the engine has them. */
  bounds: readonly (number | null)[];
  /** Of those between the bound before and this one. */
  counts: readonly number[];
}

interface Standing {
  readonly pid: number;
  readonly asked: number;
  readonly failed: number;
  readonly counts: readonly number[];
}

function perBound(counts: readonly number[]): number[] {
  return counts.map((count, i) => count - (counts[i - 1] ?? 0));
}

/** The bound that `share` of them keep; of those past the last one that one. Null where there are none. */
function boundOf(minute: Minute | undefined, share: number): number | null {
  const { counts = [], bounds = [] } = minute ?? {};
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let sum = 0;
  const place = counts.findIndex((count) => (sum += count) >= share * all);
  return bounds[place] ?? bounds.findLast((bound) => bound !== null) ?? null;
}

const MINUTE_MS = 60_000;
const DAY_S = 86_400;
