/**
 * The packet thread's end of probes: the sockets, the cache and the limits of all queues together live on the main
 * thread.
 */
import type { ProbeAnswer, Prober, ProbeRequest } from '../judge/ports.ts';
import type { FromQueue, Port } from './messages.ts';
import { RemoteQuestions } from './remote-questions.ts';

export class RemoteProber implements Prober {
  readonly #questions: RemoteQuestions<ProbeRequest, ProbeAnswer>;

  constructor(port: Port<FromQueue>) {
    this.#questions = new RemoteQuestions((id, request) => port.postMessage({ kind: 'probe', id, request }));
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void): void {
    this.#questions.ask(request, done);
  }

  answer(id: number, answer: ProbeAnswer): void {
    this.#questions.answer(id, answer);
  }
}
