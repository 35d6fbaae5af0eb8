/**
 * Names of connections that are remembered for longer than their flows are. Bounded: the oldest goes first, and is found
 * without looking for it, since the front of a set is what was deleted from it, thousands of places of nothing.
 */
import type { Addresses, FlowKey } from './flow-key.ts';
import { FlowTable } from './flow-table.ts';

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
  /** When each was added. */
  readonly #added = new FlowTable<number>(MOST);
  /** Entries of the last that were added, by when. What was taken away or added anew since is not the oldest for it. */
  readonly #last = new Uint32Array(MOST);
  #adds = 0;

  /** `key`: for these alone. */
  constructor(key: FlowKey) {
    this.#key = key;
  }

  /** By FlowKey.kept. It is the youngest now. */
  add(kept: string): void {
    this.#add(this.#key.restore(kept));
  }

  /** It is one of them, of whatever age. */
  keep(kept: string): void {
    const key = this.#key.restore(kept);
    if (this.#added.find(key) === undefined) this.#add(key);
  }

  delete(kept: string): void {
    this.#added.delete(this.#key.restore(kept));
  }

  has({ id, client, clientPort, server, serverPort }: NamedConnection): boolean {
    const key = this.#key;
    key.setConntrack(id, false);
    if (this.#added.find(key) !== undefined) return true;
    if (client.length !== server.length) return false;
    const bytes = Buffer.concat([client, server]);
    const ip: Addresses = { bytes, addresses: 0, addressLength: client.length };
    key.setEndpoints(ip, { srcPort: clientPort, dstPort: serverPort });
    return this.#added.find(key) !== undefined;
  }

  #add(key: FlowKey): void {
    const place = this.#adds % MOST;
    const addedAt = this.#adds++;
    const before = this.#last[place]!;
    if (this.#added.at(before) === addedAt - MOST) this.#added.deleteAt(before);
    this.#last[place] = this.#added.set(key, addedAt);
  }
}

/** Some 600 KB. */
const MOST = 16_384;
