/**
 * The packet thread's end of examinations: asks, and remembers what was answered about a chain until a date of it
 * passes, so that a chain that comes again costs nobody anything. A question whose flow is gone is taken back. Knows no
 * certificates beyond their octets.
 */
import { LRUCache } from 'lru-cache';

import type { ChainExaminer, ChainFacts, ExamineRequest, Questioner } from '../../judge/ports.ts';
import { sha256Hex } from '../../x509/fingerprint.ts';
import type { DatedFacts } from '../../x509/examine.ts';
import type { FromQueue, Port } from '../queue/messages.ts';
import { RemoteQuestions } from '../queue/remote-questions.ts';

export class RemoteExaminer implements ChainExaminer {
  readonly #port: Port<FromQueue>;
  readonly #questions: RemoteQuestions<Question, DatedFacts>;
  readonly #memory = new LRUCache<string, DatedFacts>({ max: REMEMBERED });

  constructor(port: Port<FromQueue>) {
    this.#port = port;
    this.#questions = new RemoteQuestions((id, { request, client, server }) =>
      port.postMessage({ kind: 'examine', id, request, client, server }),
    );
  }

  examine(request: ExamineRequest, done: (facts: ChainFacts) => void, { client, server, signal }: Questioner): void {
    const key = keyOf(request);
    const known = this.#memory.get(key);
    if (known !== undefined && known.from <= request.atMs && request.atMs < known.until) return done(known.facts);
    const id = this.#questions.ask({ request, client, server }, (dated) => {
      // That it was not its turn says nothing of the chain.
      if (dated.facts.exhausted !== 'turns') this.#memory.set(key, dated);
      done(dated.facts);
    });
    const withdraw = () => {
      if (this.#questions.forget(id)) this.#port.postMessage({ kind: 'withdraw', id });
    };
    signal.addEventListener('abort', withdraw, { once: true });
  }

  answer(id: number, facts: DatedFacts): void {
    this.#questions.answer(id, facts);
  }
}

type Question = Pick<Questioner, 'client' | 'server'> & { readonly request: ExamineRequest };

/** Everything that the answer depends on but the time. */
function keyOf({ chain, anchors, names, trust }: ExamineRequest): string {
  const parts = [chain, anchors, trust].map((certificates) => certificates.map(digestOf).join(' '));
  return sha256Hex(Buffer.from(JSON.stringify([...parts, names])));
}

function digestOf(der: Uint8Array): string {
  let digest = digests.get(der);
  if (digest === undefined) {
    digest = sha256Hex(der);
    digests.set(der, digest);
  }
  return digest;
}

/** Certificates that come again are the same objects. */
const digests = new WeakMap<Uint8Array, string>();
const REMEMBERED = 1024;
