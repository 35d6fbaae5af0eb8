/** Answers many who ask the same at the same time with one asking. */
export class SingleFlight<Answer, Question> {
  readonly #flights = new Map<string, { readonly first: Question; readonly waiting: ((answer: Answer) => void)[] }>();

  /** Undefined for the first to ask, whose business it is to find out and to `settle`; otherwise what the first asked. */
  join(key: string, question: Question, done: (answer: Answer) => void): Question | undefined {
    const flight = this.#flights.get(key);
    if (flight !== undefined) {
      flight.waiting.push(done);
      return flight.first;
    }
    this.#flights.set(key, { first: question, waiting: [done] });
    return undefined;
  }

  settle(key: string, answer: Answer): void {
    const waiting = this.#flights.get(key)?.waiting ?? [];
    this.#flights.delete(key);
    for (const done of waiting) done(answer);
  }
}
