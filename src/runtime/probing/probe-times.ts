/**
 * How long probes took whose answers were not in memory: counted from the start, by bounds, so that whoever asks again and
 * again knows of each time between. A few numbers, however many probes there are.
 */
export interface ProbeTimesAnswer {
  /** Milliseconds: each count is of those that took no longer; the last one is of all. */
  readonly le_ms: readonly (number | null)[];
  readonly counts: readonly number[];
}

export class ProbeTimes {
  /** Of those between the bound before and this one. */
  readonly #counts = new Array<number>(BOUNDS_MS.length + 1).fill(0);

  take(millis: number): void {
    const place = BOUNDS_MS.findIndex((bound) => millis <= bound);
    this.#counts[place < 0 ? BOUNDS_MS.length : place]!++;
  }

  get answer(): ProbeTimesAnswer {
    let sum = 0;
    return { le_ms: [...BOUNDS_MS, null], counts: this.#counts.map((count) => (sum += count)) };
  }
}

const BOUNDS_MS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000];
