/**
 * How long it takes to make a connection until its SYN leaves: a client's own, which is made already, waits by as much. By a
 * few hundred microseconds they would be told apart.
 */
export class Lag {
  /** Milliseconds; of the latest, on the average. */
  #usual = 0;

  /** Whatever is begun is there in the next turn of the loop. */
  measure(begin: () => void): void {
    const from = performance.now();
    begin();
    process.nextTick(() => {
      const took = Math.min(performance.now() - from, MOST_MS);
      this.#usual = this.#usual === 0 ? took : this.#usual + (took - this.#usual) * SHARE;
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

const MOST_MS = 2;
const SHARE = 0.2;
