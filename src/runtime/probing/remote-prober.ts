/**
 * The packet thread's end of probes: the sockets, the cache and the limits of all queues together live on the main
 * thread, which is asked unless it has just answered the same.
 */
import { copyOf } from '../../bytes/copy.ts';
import type { ProbeAnswer, ProbeEnds, Prober, ProbeRequest } from '../../judge/ports.ts';
import type { FromQueue, Port } from '../queue/messages.ts';
import { RemoteQuestions } from '../queue/remote-questions.ts';
import { RecentAnswers, type RecallTerms } from './recent-answers.ts';

export class RemoteProber implements Prober {
  readonly #questions: RemoteQuestions<ProbeRequest, ProbeAnswer>;
  readonly #connected = new Map<number, () => void>();
  readonly #recent: RecentAnswers;
  readonly #company: RemoteQuestions<ProbeEnds, void>;
  /** Of SYNs that wait for company. */
  readonly #going = new Set<number>();

  constructor(port: Port<FromQueue>, terms: RecallTerms) {
    this.#questions = new RemoteQuestions((id, request) => port.postMessage({ kind: 'probe', id, request }));
    this.#company = new RemoteQuestions((id, ends) => port.postMessage({ kind: 'accompany', id, ends }));
    const report = (request: ProbeRequest, times: number) => port.postMessage({ kind: 'spoken-for', request, times });
    this.#recent = new RecentAnswers(terms, report);
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    const key = this.#recent.keyOf(request);
    const known = key === undefined ? undefined : this.#recent.find(key);
    if (known !== undefined) return done(known);
    // Of the connection's own only for as long as that lasts.
    const kept = { ...request, clientHello: copyOf(request.clientHello) };
    const answered = (answer: ProbeAnswer) => {
      if (key !== undefined) this.#recent.add(key, kept, answer);
      done(answer);
    };
    const id = this.#questions.ask(kept, answered);
    if (connected !== undefined) this.#connected.set(id, connected);
  }

  /** It goes, too, where the main thread has no time for it. */
  accompany(ends: ProbeEnds, go: () => void): void {
    const id = this.#company.ask(ends, go);
    this.#going.add(id);
    setTimeout(() => this.onAccompanied(id), ALONE_AFTER_MS).unref();
  }

  onAccompanied(id: number): void {
    this.#going.delete(id);
    this.#company.answer(id);
  }

  /** Whatever waits for company goes now. */
  letGo(): void {
    for (const id of [...this.#going]) this.onAccompanied(id);
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

/** Well ahead of the second after which a SYN is repeated (RFC 6298). */
const ALONE_AFTER_MS = 250;
