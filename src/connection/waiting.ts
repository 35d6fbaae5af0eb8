/** Who waits for something that has a deadline, and is to be asked as time passes. Knows nothing of what it is. */

export interface Waiter {
  /** For Waiting alone. */
  isWaiting: boolean;
  /** When `onTime` wants to be called, in microseconds; Infinity once nothing is waited for. */
  deadline(): number;
  onTime(now: number): void;
}

export class Waiting {
  /** Filled and emptied all the time: see AgeList for why it is no `Set`. */
  readonly #waiters: Waiter[] = [];

  get isEmpty(): boolean {
    return this.#waiters.length === 0;
  }

  add(waiter: Waiter): void {
    if (waiter.isWaiting) return;
    waiter.isWaiting = true;
    this.#waiters.push(waiter);
  }

  /** Lets those act whose time has come, and lets go of those that wait no more. */
  tick(now: number): void {
    const waiters = this.#waiters;
    let kept = 0;
    for (const waiter of waiters) {
      waiter.onTime(now);
      waiter.isWaiting = waiter.deadline() !== Infinity;
      if (waiter.isWaiting) waiters[kept++] = waiter;
    }
    // By `length` it would be a call of V8's runtime.
    while (waiters.length > kept) waiters.pop();
  }

  /** The earliest deadline, in microseconds. */
  deadline(): number {
    return this.#waiters.reduce((earliest, waiter) => Math.min(earliest, waiter.deadline()), Infinity);
  }
}
