/**
 * How long it takes to make a connection until its SYN leaves: a client's own, which is made already, waits by as much. By a
 * few hundred microseconds they would be told apart.
 */
export class Lag {
  /** Milliseconds; about as many take longer as take less. */
  #usual = 0;

  /** Whatever is begun is there when this turn of the loop is over. */
  measure(begin: () => void): void {
    const from = performance.now();
    begin();
    process.nextTick(() => {
      const took = performance.now() - from;
      const step = Math.sign(took - this.#usual) * Math.min(STEP_MS, Math.abs(took - this.#usual));
      this.#usual = Math.min(this.#usual + step, MOST_MS);
    });
  }

  /** `done` is called by then, which may be now. */
  wait(done: () => void): void {
    const until = performance.now() + this.#usual;
    const look = () => {
      if (performance.now() >= until) done();
      else setImmediate(look);
    };
    look();
  }
}

/** Less than lies between two turns. */
const MOST_MS = 1.5;
const STEP_MS = 0.1;
