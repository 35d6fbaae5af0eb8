/**
 * The packet thread's own memory of what the prober has just said, so that a busy server's clients are answered without a
 * word to the main thread: of certificates only, for a second at the most, in so many octets. The main thread's memory is the one that
 * counts; it is told how often it was spoken for, because every connection is to be as likely as any other to have its
 * server asked anew.
 */
import { LRUCache } from 'lru-cache';

import { latin1Of } from '../../bytes/latin1.ts';
import type { ProbeAnswer, ProbedCertificates, ProbeRequest } from '../../judge/ports.ts';
import type { ProbePolicy } from '../../pins/policy.ts';
import { octetsOf } from '../../probe/cache.ts';
import { sharersOf } from '../../probe/client-group.ts';
import { withoutOwnOctets } from '../../probe/own-octets.ts';

export class RecentAnswers {
  readonly #answers: LRUCache<string, Recent>;
  #terms: RecallTerms;

  /** `report`: so many questions like this one were answered here since the last one was answered there. */
  constructor(terms: RecallTerms, report: (request: ProbeRequest, times: number) => void) {
    this.#terms = terms;
    this.#answers = new LRUCache({
      max: ENTRIES,
      maxSize: OCTETS,
      sizeCalculation: octetsOfRecent,
      dispose: ({ request, times }) => {
        if (times > 0) report(request, times);
      },
    });
  }

  /** By which it is remembered; undefined for a question that is not. */
  keyOf(request: ProbeRequest): string | undefined {
    const { clientHello, pattern, recordVersion, server, starttls, tunnels } = request;
    if (clientHello.length > LONGEST || tunnels.length > 0) return undefined;
    // Numbers as characters: V8 keeps so short a string in one piece, and compares it without its runtime.
    const said = pattern === undefined ? withoutOwnOctets(clientHello) : numberOf(pattern);
    if (said === undefined) return undefined;
    const { address, port } = server;
    const whose = sharersOf(request, this.#terms);
    const where = String.fromCharCode(address.length, port, recordVersion) + latin1Of(address);
    return `${whose}${where}${starttls ?? ''} ${said}`;
  }

  find(key: string): ProbeAnswer | undefined {
    const recent = this.#answers.get(key);
    if (recent === undefined || this.#isOver(recent)) return undefined;
    recent.times++;
    return recent.answer;
  }

  add(key: string, request: ProbeRequest, answer: ProbeAnswer): void {
    if (answer.kind !== 'certificates') return;
    this.#answers.set(key, { request, answer: { ...answer, fromCache: true }, atMs: performance.now(), times: 0 });
  }

  /** Forgets what is too old. */
  tick(): void {
    for (const [key, recent] of this.#answers.entries()) if (this.#isOver(recent)) this.#answers.delete(key);
  }

  /** Forgets everything: other rules hold for who may be asked. */
  clear(terms = this.#terms): void {
    this.#answers.clear();
    this.#terms = terms;
  }

  #isOver({ atMs }: Recent): boolean {
    return performance.now() - atMs >= Math.min(STANDS_FOR_MS, this.#terms.ttl);
  }
}

/** Shorter than any hello. */
function numberOf(pattern: number): string {
  return String.fromCharCode(pattern >>> 16, pattern & 0xffff);
}

/** What a configuration says of it. */
export type RecallTerms = Pick<ProbePolicy, 'ttl' | 'source'>;

interface Recent {
  readonly request: ProbeRequest;
  readonly answer: ProbedCertificates;
  readonly atMs: number;
  times: number;
}

function octetsOfRecent({ request, answer }: Recent, key: string): number {
  const chains = [answer, ...answer.alternatives].map(({ chain }) => octetsOf(chain));
  return key.length + request.clientHello.length + chains.reduce((sum, octets) => sum + octets, 0);
}

const ENTRIES = 256;
/** Of those many times what they mostly have. */
const OCTETS = 8 * 1024 * 1024;
const STANDS_FOR_MS = 1_000;
/** Octets of a hello that is worth remembering. */
const LONGEST = 4_096;
