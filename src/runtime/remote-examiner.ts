/**
 * The packet thread's end of path examination: the libraries that judge certificate paths live on the main thread.
 */
import type { ChainExaminer, ChainFacts, ExamineRequest } from '../judge/ports.ts';
import type { FromQueue, Port } from './messages.ts';
import { RemoteQuestions } from './remote-questions.ts';

export class RemoteExaminer implements ChainExaminer {
  readonly #questions: RemoteQuestions<ExamineRequest, ChainFacts>;

  constructor(port: Port<FromQueue>) {
    this.#questions = new RemoteQuestions((id, request) => port.postMessage({ kind: 'examine', id, request }));
  }

  examine(request: ExamineRequest, done: (facts: ChainFacts) => void): void {
    this.#questions.ask(request, done);
  }

  answer(id: number, facts: ChainFacts): void {
    this.#questions.answer(id, facts);
  }
}
