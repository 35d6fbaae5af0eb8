/**
 * Names of connections that are remembered for longer than their flows are. Bounded: the oldest goes first, and is found
 * without looking for it, since the front of a set is what was deleted from it, thousands of places of nothing.
 */
import type { Addresses, FlowKey } from './flow-key.ts';

/** As the rules see it: behind a change of the destination, ahead of one of the source. Plain data. */
export interface NamedConnection {
  /** Conntrack's. */
  readonly id: number;
  readonly client: Uint8Array;
  readonly clientPort: number;
  readonly server: Uint8Array;
  readonly serverPort: number;
}

export class FlowNames {
  readonly #key: FlowKey;
  /** When each was added, by FlowKey.kept. */
  readonly #added = new Map<string, number>();
  /** The last that were added, by when. What was taken away or added anew since is not the oldest for it. */
  readonly #last = new Array<string>(MOST).fill('');
  #adds = 0;

  /** `key`: for names that are not those of a packet. */
  constructor(key: FlowKey) {
    this.#key = key;
  }

  /** It is the youngest now. */
  add(key: string): void {
    const place = this.#adds % MOST;
    const before = this.#last[place]!;
    const addedAt = this.#adds++;
    this.#added.set(key, addedAt);
    this.#last[place] = key;
    if (this.#added.get(before) === addedAt - MOST) this.#added.delete(before);
  }

  /** It is one of them, of whatever age. */
  keep(key: string): void {
    if (!this.#added.has(key)) this.add(key);
  }

  /** Looks first: compiled code does that by itself, and deletes by a call that takes ten times as long. */
  delete(key: string): void {
    if (this.#added.has(key)) this.#added.delete(key);
  }

  has({ id, client, clientPort, server, serverPort }: NamedConnection): boolean {
    const key = this.#key;
    key.setConntrack(id, false);
    if (this.#added.has(key.kept)) return true;
    if (client.length !== server.length) return false;
    const bytes = Buffer.concat([client, server]);
    const ip: Addresses = { bytes, addresses: 0, addressLength: client.length };
    key.setEndpoints(ip, { srcPort: clientPort, dstPort: serverPort });
    return this.#added.has(key.kept);
  }
}

/** Some 1.5 MB. */
const MOST = 16_384;
