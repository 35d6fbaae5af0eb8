/**
 * What was seen of servers lately: which answer an offer of TLS 1.3 with a version whose certificate goes by in clear, so
 * that a probe ahead of their ServerHello would be for nothing; which speak first, and to which clients do. Guesses that cost time where they
 * are wrong, and decide nothing.
 */
import { LRUCache } from 'lru-cache';

import { latin1Of } from '../bytes/latin1.ts';
import type { Endpoint } from '../pins/match/snapshot.ts';

export class ServerHabits {
  readonly #clear = new LRUCache<string, true>({ max: SERVERS });
  /** When it was seen, in microseconds. */
  readonly #greeted = new LRUCache<string, number>({ max: SERVERS });
  readonly #asked = new LRUCache<string, number>({ max: SERVERS });

  /** What the server has chosen of an offer of TLS 1.3. */
  onChoice(server: Endpoint, name: string | null, isTls13: boolean): void {
    if (!isTls13) this.#clear.set(keyOf(server, name), true);
    else if (this.#clear.size > 0) this.#clear.delete(keyOf(server, name));
  }

  /** Whether the last such offer showed the certificate in clear. */
  showsClear(server: Endpoint, name: string | null): boolean {
    return this.#clear.size > 0 && (this.#clear.get(keyOf(server, name)) ?? false);
  }

  /** The server has spoken first. `now` in microseconds. */
  onGreeting(server: Endpoint, now: number): void {
    this.#greeted.set(keyOf(server, null), now);
  }

  /** Whether clients wait for the server to speak. */
  greets(server: Endpoint, now: number): boolean {
    if (this.#greeted.size === 0) return false;
    return isRecent(this.#greeted.get(keyOf(server, null)), now);
  }

  /** A client has spoken first, by its hello. */
  onHello(server: Endpoint, now: number): void {
    this.#asked.set(keyOf(server, null), now);
  }

  /** Whether the server waits for clients to speak. */
  awaitsHello(server: Endpoint, now: number): boolean {
    return !this.greets(server, now) && isRecent(this.#asked.get(keyOf(server, null)), now);
  }
}

function isRecent(seen = -Infinity, now: number): boolean {
  return seen > now - LATELY_MICROS;
}

/** In characters, and of IPv4 without a call that leaves compiled code: each connection asks more than once. */
function keyOf({ address, port }: Endpoint, name: string | null): string {
  const [a, b, c, d] = [address[0]!, address[1]!, address[2]!, address[3]!];
  const isIpv4 = address.length === 4;
  const server = isIpv4 ? String.fromCharCode(4, port, a, b, c, d) : String.fromCharCode(16, port) + latin1Of(address);
  return name === null ? server : server + name;
}

const SERVERS = 4096;
const LATELY_MICROS = 60e6;
