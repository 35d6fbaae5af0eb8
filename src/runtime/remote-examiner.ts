/**
 * The packet thread's end of path examination: the libraries that judge certificate paths live on the main thread.
 * Bounded by the flows that wait for an answer; one that never comes ends by the engine's own limits.
 */
import type { ChainExaminer, ChainFacts, ExamineRequest } from '../engine/ports.ts';
import type { FromQueue, Port } from './messages.ts';

export class RemoteExaminer implements ChainExaminer {
  readonly #port: Port<FromQueue>;
  readonly #waiting = new Map<number, (facts: ChainFacts) => void>();
  #nextId = 1;

  constructor(port: Port<FromQueue>) {
    this.#port = port;
  }

  examine(request: ExamineRequest, done: (facts: ChainFacts) => void): void {
    const id = this.#nextId++;
    this.#waiting.set(id, done);
    this.#port.postMessage({ kind: 'examine', id, request });
  }

  answer(id: number, facts: ChainFacts): void {
    const done = this.#waiting.get(id);
    this.#waiting.delete(id);
    done?.(facts);
  }
}
