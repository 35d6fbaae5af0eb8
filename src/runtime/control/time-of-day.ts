/**
 * Tells when the time of day was set while tlspin runs. Nothing that takes time goes by it; but what has dates does, and
 * the records' timestamps: whoever reads them has to know that they jump.
 */
import type { Protection } from '../protection/protection.ts';

export class TimeOfDay {
  readonly #protection: Protection;
  #ahead = timeOfDayAhead();

  constructor(protection: Protection) {
    this.#protection = protection;
  }

  /** To be called each second. */
  look(): void {
    const ahead = timeOfDayAhead();
    const jump = Math.round(ahead - this.#ahead);
    if (Math.abs(jump) < LEAST_JUMP_MS) return;
    this.#ahead = ahead;
    const way = jump > 0 ? 'forward' : 'back';
    const detail = `the time of day was set ${way} by ${Math.abs(Math.round(jump / 100)) / 10} s`;
    this.#protection.end('clock.jump', '', 'it was set again');
    this.#protection.notice('clock.jump', '', detail, SPELL_MS);
  }
}

/** Of the clock that nobody sets; in milliseconds. */
function timeOfDayAhead(): number {
  return Date.now() - performance.now();
}

/** Clocks that are kept right are slewed, or stepped by less. */
const LEAST_JUMP_MS = 1_000;
/** How long it counts as news. */
const SPELL_MS = 60_000;
