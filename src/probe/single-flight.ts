/** Answers many who ask the same at the same time with one asking. */
export class SingleFlight<Answer> {
  readonly #waiting = new Map<string, ((answer: Answer) => void)[]>();

  /** Questions under way. */
  get size(): number {
    return this.#waiting.size;
  }

  has(key: string): boolean {
    return this.#waiting.has(key);
  }

  /** True for the first to ask, whose business it is to find out and to `settle`. */
  join(key: string, done: (answer: Answer) => void): boolean {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) {
      waiting.push(done);
      return false;
    }
    this.#waiting.set(key, [done]);
    return true;
  }

  settle(key: string, answer: Answer): void {
    const waiting = this.#waiting.get(key) ?? [];
    this.#waiting.delete(key);
    for (const done of waiting) done(answer);
  }
}
