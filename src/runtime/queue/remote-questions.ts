/**
 * The packet thread's end of questions that the main thread answers: each goes out under a number, under which its
 * answer comes back, once. Bounded by the flows that wait; an answer that never comes is the engine's own limits' matter.
 * Knows neither what is asked nor the wire.
 */
export class RemoteQuestions<Request, Answer> {
  readonly #post: (id: number, request: Request) => void;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #nextId = 1;

  constructor(post: (id: number, request: Request) => void) {
    this.#post = post;
  }

  /** The question's number. */
  ask(request: Request, done: (answer: Answer) => void): number {
    const id = this.#nextId++;
    this.#waiting.set(id, done);
    this.#post(id, request);
    return id;
  }

  /** Its answer is not wanted any more; false where it was given already. */
  forget(id: number): boolean {
    return this.#waiting.delete(id);
  }

  /** Of questions that were answered already, or never asked, nothing comes. */
  answer(id: number, answer: Answer): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(answer);
  }
}
