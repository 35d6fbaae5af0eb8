/**
 * The engine's clock where packets come from the kernel: what durations are measured on, and the time of day in
 * microseconds. Node gives that in milliseconds only, and a finer clock that does not follow when the time of day is set;
 * this joins the two.
 */
import type { Clock } from '../packet/source.ts';

export class LiveClock implements Clock {
  /** Milliseconds from the fine clock's zero to the epoch. */
  #offset: number;
  readonly #coarse: () => number;
  readonly #fine: () => number;

  constructor(coarse: () => number = () => Date.now(), fine: () => number = () => performance.now()) {
    this.#coarse = coarse;
    this.#fine = fine;
    this.#offset = coarse() - fine();
  }

  now(): number {
    return Math.round(this.#fine() * 1000);
  }

  wallTime(): number {
    const coarse = this.#coarse();
    const fine = this.#fine();
    if (Math.abs(fine + this.#offset - coarse) > TOLERANCE_MS) this.#offset = coarse - fine;
    return Math.round((fine + this.#offset) * 1000);
  }
}

/** More than rounding to a millisecond explains: the time of day was set, or slewed away. */
const TOLERANCE_MS = 2;
