/**
 * The packet thread's end of examinations: asks, and remembers what was answered about a chain until a date of it
 * passes, so that a chain that comes again costs nobody anything. Whoever comes with a chain that is being asked about
 * waits for that answer. A question whose flows are gone is taken back. Knows no certificates beyond their octets.
 */
import { LRUCache } from 'lru-cache';

import type { ChainExaminer, ChainFacts, ExamineRequest, Questioner } from '../../judge/ports.ts';
import { clientGroup } from '../../probe/client-group.ts';
import { sha256Hex } from '../../x509/fingerprint.ts';
import type { DatedFacts } from '../../x509/examine.ts';
import type { FromQueue, Port } from '../queue/messages.ts';
import { RemoteQuestions } from '../queue/remote-questions.ts';

export class RemoteExaminer implements ChainExaminer {
  readonly #port: Port<FromQueue>;
  readonly #questions: RemoteQuestions<Question, DatedFacts>;
  readonly #memory = new LRUCache<string, DatedFacts>({ max: REMEMBERED });
  readonly #open = new Map<string, OpenQuestions>();

  constructor(port: Port<FromQueue>) {
    this.#port = port;
    this.#questions = new RemoteQuestions((id, { request, client, server }) =>
      port.postMessage({ kind: 'examine', id, request, client, server }),
    );
  }

  examine(request: ExamineRequest, done: (facts: ChainFacts) => void, { client, server, signal }: Questioner): void {
    const key = keyOf(request);
    const known = this.#memory.get(key);
    if (known !== undefined && isAt(known, request)) return done(known.facts);
    const waiting: Waiting = { question: { request, client, server }, done, asked: undefined };
    this.#wait(key, waiting);
    signal.addEventListener('abort', () => this.#leave(key, waiting), { once: true });
  }

  answer(id: number, facts: DatedFacts): void {
    this.#questions.answer(id, facts);
  }

  /** Each client and server has its turn by what they have cost, so none waits for a question of others alone. */
  #wait(key: string, waiting: Waiting): void {
    const { question } = waiting;
    const behind = `${clientGroup(question.client.address)} ${clientGroup(question.server.address)}`;
    const open = this.#open.get(key) ?? new Map<string, Asked>();
    this.#open.set(key, open);
    const asked = open.get(behind);
    if (asked !== undefined) return join(asked, waiting);
    const first: Asked = { id: 0, waiting: new Set() };
    open.set(behind, first);
    join(first, waiting);
    first.id = this.#questions.ask(question, (dated) => this.#onAnswer(key, behind, dated));
  }

  #leave(key: string, waiting: Waiting): void {
    const { asked } = waiting;
    waiting.asked = undefined;
    if (asked?.waiting.delete(waiting) !== true || asked.waiting.size > 0) return;
    this.#withdraw(asked);
    const open = this.#open.get(key)!;
    for (const [behind, each] of open) if (each === asked) open.delete(behind);
    if (open.size === 0) this.#open.delete(key);
  }

  #onAnswer(key: string, behind: string, dated: DatedFacts): void {
    const open = this.#open.get(key)!;
    const asked = open.get(behind)!;
    open.delete(behind);
    const isExamined = dated.facts.exhausted !== 'turns';
    const [other] = open.values();
    if (!isExamined && other !== undefined) {
      // Others ask the same, and are to have their turn.
      for (const waiting of asked.waiting) join(other, waiting);
      return;
    }
    this.#open.delete(key);
    // That it was not its turn says nothing of the chain.
    if (isExamined) this.#memory.set(key, dated);
    for (const each of open.values()) this.#withdraw(each);
    const all = [asked, ...open.values()].flatMap(({ waiting }) => [...waiting]);
    for (const waiting of all) this.#tell(key, waiting, dated);
  }

  #tell(key: string, waiting: Waiting, dated: DatedFacts): void {
    // What another was told may have ended it.
    if (waiting.asked === undefined) return;
    waiting.asked = undefined;
    const isForIt = dated.facts.exhausted === 'turns' || isAt(dated, waiting.question.request);
    if (isForIt) waiting.done(dated.facts);
    else this.#wait(key, waiting);
  }

  #withdraw({ id }: Asked): void {
    if (this.#questions.forget(id)) this.#port.postMessage({ kind: 'withdraw', id });
  }
}

type Question = Pick<Questioner, 'client' | 'server'> & { readonly request: ExamineRequest };

interface Waiting {
  readonly question: Question;
  readonly done: (facts: ChainFacts) => void;
  /** By whose answer it is told; undefined once it was, or is gone. */
  asked: Asked | undefined;
}

interface Asked {
  id: number;
  readonly waiting: Set<Waiting>;
}

/** About one chain, by the client and the server that are behind each. */
type OpenQuestions = Map<string, Asked>;

function join(asked: Asked, waiting: Waiting): void {
  asked.waiting.add(waiting);
  waiting.asked = asked;
}

function isAt({ from, until }: DatedFacts, { atMs }: ExamineRequest): boolean {
  return from <= atMs && atMs < until;
}

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
