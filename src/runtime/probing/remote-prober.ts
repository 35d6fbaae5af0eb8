/**
 * The packet thread's end of probes: the sockets, the cache and the limits of all queues together live on the main
 * thread.
 */
import type { ProbeAnswer, Prober, ProbeRequest } from '../../judge/ports.ts';
import type { FromQueue, Port } from '../queue/messages.ts';
import { RemoteQuestions } from '../queue/remote-questions.ts';

export class RemoteProber implements Prober {
  readonly #questions: RemoteQuestions<ProbeRequest, ProbeAnswer>;
  readonly #connected = new Map<number, () => void>();

  constructor(port: Port<FromQueue>) {
    this.#questions = new RemoteQuestions((id, request) => port.postMessage({ kind: 'probe', id, request }));
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    const id = this.#questions.ask(request, done);
    if (connected !== undefined) this.#connected.set(id, connected);
  }

  onConnected(id: number): void {
    const connected = this.#connected.get(id);
    this.#connected.delete(id);
    connected?.();
  }

  answer(id: number, answer: ProbeAnswer): void {
    this.#connected.delete(id);
    this.#questions.answer(id, answer);
  }
}
