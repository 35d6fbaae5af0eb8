/** What was decided, minute by minute of the last day: how often, and how long it took. Bounded. */
import type { VerdictRecord } from '../report/schema.ts';
import type { Percentiles, Series } from './api.ts';

export class VerdictSeries {
  readonly #minutes = new Map<number, Minute>();

  add({ verdict }: VerdictRecord, atMs: number): void {
    const at = Math.floor(atMs / MINUTE_MS) * 60;
    let minute = this.#minutes.get(at);
    if (minute === undefined) {
      this.#minutes.set(at, (minute = { counts: new Map(), held: new Sample(), took: new Sample() }));
      for (const old of this.#minutes.keys()) if (old <= at - DAY_S) this.#minutes.delete(old);
    }
    const kind = `${verdict.action} ${verdict.reason}`;
    minute.counts.set(kind, (minute.counts.get(kind) ?? 0) + (verdict.packets ?? 1));
    minute.held.add(verdict.held_us);
    if (verdict.took_us !== undefined) minute.took.add(verdict.took_us);
  }

  /** From the first minute that is known to this one, at the most a day. */
  read(nowMs: number): Omit<Series, 'probes'> {
    const now = Math.floor(nowMs / MINUTE_MS) * 60;
    const known = [...this.#minutes.keys()].filter((at) => at > now - DAY_S && at <= now);
    const first = known.length === 0 ? now : Math.min(...known);
    const at = Array.from({ length: (now - first) / 60 + 1 }, (_, i) => first + i * 60);
    const minutes = at.map((each) => this.#minutes.get(each));
    const kinds = new Set(minutes.flatMap((minute) => [...(minute?.counts.keys() ?? [])]));
    return {
      at,
      verdicts: [...kinds].sort().map((kind) => {
        const [action = '', reason = ''] = kind.split(' ');
        return { action, reason, values: minutes.map((minute) => minute?.counts.get(kind) ?? 0) };
      }),
      held_us: percentiles(minutes.map((minute) => minute?.held)),
      took_us: percentiles(minutes.map((minute) => minute?.took)),
    };
  }

  /** The most frequent first. */
  totals(nowMs: number): { readonly action: string; readonly reason: string; readonly count: number }[] {
    const { verdicts } = this.read(nowMs);
    return verdicts
      .map(({ action, reason, values }) => ({ action, reason, count: values.reduce((a, b) => a + b, 0) }))
      .sort((a, b) => b.count - a.count);
  }
}

interface Minute {
  /** By action and reason, with a blank between. */
  readonly counts: Map<string, number>;
  readonly held: Sample;
  readonly took: Sample;
}

/** Some of many values, each as likely as the others (reservoir sampling). */
class Sample {
  readonly #values: number[] = [];
  #count = 0;

  add(value: number): void {
    this.#count++;
    if (this.#values.length < SAMPLE) this.#values.push(value);
    else {
      const at = Math.floor(Math.random() * this.#count);
      if (at < SAMPLE) this.#values[at] = value;
    }
  }

  /** `share` of them are no greater; null where there are none. */
  at(share: number): number | null {
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  }
}

function percentiles(samples: readonly (Sample | undefined)[]): Percentiles {
  return {
    p50: samples.map((sample) => sample?.at(0.5) ?? null),
    p95: samples.map((sample) => sample?.at(0.95) ?? null),
  };
}

const MINUTE_MS = 60_000;
const DAY_S = 86_400;
const SAMPLE = 100;
