/**
 * The one question that a server may be asked in a client's place, and its answer, which stays whatever becomes of the
 * configuration. Knows when it was asked; what the answer is worth is for others.
 */
import type { JudgeContext } from '../context.ts';
import type { ProbeAnswer, ProbeRequest } from '../ports.ts';

export class ProbeQuestion {
  readonly #context: JudgeContext;
  readonly #onAnswer: (answer: ProbeAnswer) => void;
  #request: Omit<ProbeRequest, 'client' | 'server'> | undefined;
  #answer: 'asked' | ProbeAnswer | undefined;

  /** `onAnswer` hears an answer that comes after `ask` has returned. */
  constructor(context: JudgeContext, onAnswer: (answer: ProbeAnswer) => void) {
    this.#context = context;
    this.#onAnswer = onAnswer;
  }

  /** Undefined where nobody was asked, or could be. */
  get answer(): 'asked' | ProbeAnswer | undefined {
    return this.#answer;
  }

  put(request: Omit<ProbeRequest, 'client' | 'server'>): void {
    this.#request ??= request;
  }

  /** Asks the server, once. */
  ask(): void {
    const { prober, subject } = this.#context;
    if (this.#answer !== undefined || this.#request === undefined || prober === undefined) return;
    this.#answer = 'asked';
    let inTime = true;
    prober.probe({ ...subject, ...this.#request }, (answer) => {
      this.#answer = answer;
      if (!inTime) this.#onAnswer(answer);
    });
    inTime = false;
  }
}
