/**
 * Does something at its very moment, where timers of whole milliseconds are too coarse: the last of them are waited for turn
 * by turn of the loop, which goes on reading meanwhile.
 */
export class Punctual {
  readonly #act: () => void;
  /** Milliseconds; Infinity: nothing is to be done. */
  #at = Infinity;
  #timer: NodeJS.Timeout | undefined;
  #turn: NodeJS.Immediate | undefined;

  constructor(act: () => void) {
    this.#act = act;
  }

  /** So many microseconds from now, or earlier where that was asked before; Infinity: not at all. */
  in(micros: number): void {
    if (micros === Infinity) return this.#clear();
    const at = performance.now() + micros / 1_000;
    if (at >= this.#at) return;
    this.#clear();
    this.#at = at;
    this.#wait();
  }

  #wait(): void {
    const left = this.#at - performance.now();
    if (left > COARSE_MS) this.#timer = setTimeout(() => this.#wait(), Math.floor(left) - LATE_MS);
    else if (left > 0) this.#turn = setImmediate(() => this.#wait());
    else {
      this.#clear();
      this.#act();
    }
  }

  #clear(): void {
    clearTimeout(this.#timer);
    clearImmediate(this.#turn);
    this.#at = Infinity;
  }
}

/** What a timer may be late by; nearer to its moment than that and one more none is set. */
const LATE_MS = 2;
const COARSE_MS = LATE_MS + 1;
