/**
 * Servers that lately answered an offer of TLS 1.3 with a version whose certificate goes by in clear: a probe for them
 * ahead of their ServerHello would be for nothing. A guess that costs time where it is wrong, and decides nothing.
 */
import { LRUCache } from 'lru-cache';

import type { Endpoint } from '../pins/match/snapshot.ts';

export class ClearServers {
  readonly #lately = new LRUCache<string, true>({ max: SERVERS });

  /** What the server has chosen of an offer of TLS 1.3. */
  onChoice(server: Endpoint, name: string | null, isTls13: boolean): void {
    const key = keyOf(server, name);
    if (isTls13) this.#lately.delete(key);
    else this.#lately.set(key, true);
  }

  /** Whether the last such offer showed the certificate in clear. */
  has(server: Endpoint, name: string | null): boolean {
    return this.#lately.get(keyOf(server, name)) ?? false;
  }
}

function keyOf({ address, port }: Endpoint, name: string | null): string {
  return `${Buffer.prototype.latin1Slice.call(address, 0, address.length)} ${port} ${name ?? ''}`;
}

const SERVERS = 4096;
