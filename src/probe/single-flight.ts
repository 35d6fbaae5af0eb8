/** Answers many who ask the same at the same time with one asking. */
export interface Waiting<Answer> {
  /** Called once at the most, ahead of `done`. */
  readonly connected?: (() => void) | undefined;
  readonly done: (answer: Answer) => void;
}

export class SingleFlight<Answer, Question> {
  readonly #flights = new Map<string, Flight<Answer, Question>>();

  /** Undefined for the first to ask, whose business it is to find out and to `settle`; otherwise what the first asked. */
  join(key: string, question: Question, waiting: Waiting<Answer>): Question | undefined {
    const flight = this.#flights.get(key);
    if (flight === undefined) {
      this.#flights.set(key, { first: question, isConnected: false, waiting: [waiting] });
      return undefined;
    }
    flight.waiting.push(waiting);
    if (flight.isConnected) waiting.connected?.();
    return flight.first;
  }

  /** Whoever asks is connected. */
  onConnected(key: string): void {
    const flight = this.#flights.get(key);
    if (flight === undefined || flight.isConnected) return;
    flight.isConnected = true;
    for (const { connected } of [...flight.waiting]) connected?.();
  }

  settle(key: string, answer: Answer): void {
    const waiting = this.#flights.get(key)?.waiting ?? [];
    this.#flights.delete(key);
    for (const { done } of waiting) done(answer);
  }
}

interface Flight<Answer, Question> {
  readonly first: Question;
  isConnected: boolean;
  readonly waiting: Waiting<Answer>[];
}
