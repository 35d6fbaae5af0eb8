/**
 * The engine's clock where packets come from the kernel: what durations are measured on, and the time of day in
 * microseconds. Node gives that in milliseconds only, and a finer clock that does not follow when the time of day is set;
 * this joins the two. A machine that stood still (a guest that is moved, a process that was stopped) heard nothing
 * meanwhile: of that no deadline has anything to say, so that durations have a second of it at the most.
 */
import { performance } from 'node:perf_hooks';

import type { Clock } from '../packet/source.ts';

export class LiveClock implements Clock {
  /** Milliseconds from the fine clock's zero to the epoch. */
  #offset: number;
  /** Of the fine clock, when the two were last compared. */
  #comparedAt: number;
  readonly #coarse: () => number;
  readonly #fine: () => number;
  /** Of the fine clock, when it was last asked. */
  #last: number;
  /** Milliseconds of the fine clock that do not count. */
  #stoodStill = 0;

  constructor(coarse: () => number = () => Date.now(), fine: () => number = () => performance.now()) {
    this.#coarse = coarse;
    this.#fine = fine;
    this.#last = fine();
    this.#offset = coarse() - this.#last;
    this.#comparedAt = this.#last;
  }

  /** To be asked once a second at the least. */
  now(): number {
    const fine = this.#fine();
    const passed = fine - this.#last;
    if (passed > STOOD_STILL_MS) this.#stoodStill += passed - PULSE_MS;
    this.#last = fine;
    return Math.round((fine - this.#stoodStill) * 1000);
  }

  wallTime(): number {
    const fine = this.#fine();
    if (fine - this.#comparedAt >= COMPARE_MS) this.#compare(fine);
    return Math.round((fine + this.#offset) * 1000);
  }

  #compare(fine: number): void {
    const coarse = this.#coarse();
    this.#comparedAt = fine;
    if (Math.abs(fine + this.#offset - coarse) > TOLERANCE_MS) this.#offset = coarse - fine;
  }
}

const PULSE_MS = 1_000;
/** Half as long again as there is between two questions. */
const STOOD_STILL_MS = 1.5 * PULSE_MS;
/** How late it is noticed that the time of day was set: `Date.now` is a call of V8's runtime, of which a connection asks thrice. */
const COMPARE_MS = 10;
/** More than rounding to a millisecond explains: the time of day was set, or slewed away. */
const TOLERANCE_MS = 2;
