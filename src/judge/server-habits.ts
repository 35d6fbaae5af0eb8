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
    const key = keyOf(server, name);
    if (isTls13) this.#clear.delete(key);
    else this.#clear.set(key, true);
  }

  /** Whether the last such offer showed the certificate in clear. */
  showsClear(server: Endpoint, name: string | null): boolean {
    return this.#clear.get(keyOf(server, name)) ?? false;
  }

  /** The server has spoken first. `now` in microseconds. */
  onGreeting(server: Endpoint, now: number): void {
    this.#greeted.set(keyOf(server, null), now);
  }

  /** Whether clients wait for the server to speak. */
  greets(server: Endpoint, now: number): boolean {
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

function keyOf({ address, port }: Endpoint, name: string | null): string {
  return `${latin1Of(address)} ${port} ${name ?? ''}`;
}

const SERVERS = 4096;
const LATELY_MICROS = 60e6;
