/**
 * The packet thread's end of probes: the sockets, the cache and the limits of all queues together live on the main
 * thread, which is asked unless it has just answered the same.
 */
import type { ProbeAnswer, Prober, ProbeRequest } from '../../judge/ports.ts';
import type { FromQueue, Port } from '../queue/messages.ts';
import { RemoteQuestions } from '../queue/remote-questions.ts';
import { RecentAnswers, type RecallTerms } from './recent-answers.ts';

export class RemoteProber implements Prober {
  readonly #questions: RemoteQuestions<ProbeRequest, ProbeAnswer>;
  readonly #connected = new Map<number, () => void>();
  readonly #recent: RecentAnswers;

  constructor(port: Port<FromQueue>, terms: RecallTerms) {
    this.#questions = new RemoteQuestions((id, request) => port.postMessage({ kind: 'probe', id, request }));
    const report = (request: ProbeRequest, times: number) => port.postMessage({ kind: 'spoken-for', request, times });
    this.#recent = new RecentAnswers(terms, report);
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    const key = this.#recent.keyOf(request);
    const known = key === undefined ? undefined : this.#recent.find(key);
    if (known !== undefined) return done(known);
    const answered = (answer: ProbeAnswer) => {
      if (key !== undefined) this.#recent.add(key, request, answer);
      done(answer);
    };
    const id = this.#questions.ask(request, answered);
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

  /** Once a second. */
  tick(): void {
    this.#recent.tick();
  }

  /** Another configuration is in force; `terms`: unless they are as before. */
  forget(terms?: RecallTerms): void {
    this.#recent.clear(terms);
  }
}
