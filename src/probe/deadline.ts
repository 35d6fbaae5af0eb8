/**
 * A timer for what a server has to do meanwhile. Where this process did not run, or its machine stood still, its answer may
 * be there and not be read yet, and timers come first: whoever was late once has as much time again as he was late.
 */
export class Deadline {
  #timer: NodeJS.Timeout;

  /** Milliseconds. */
  constructor(timeout: number, onOver: () => void) {
    this.#timer = after(timeout, (late) => {
      if (late < STOOD_STILL_MS) return onOver();
      this.#timer = after(Math.min(late, timeout), () => onOver());
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

function after(timeout: number, onOver: (late: number) => void): NodeJS.Timeout {
  const due = performance.now() + timeout;
  return setTimeout(() => onOver(performance.now() - due), timeout);
}

/** No garbage collection takes as long. */
const STOOD_STILL_MS = 250;
