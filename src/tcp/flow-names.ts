/** Names of connections that are remembered for longer than their flows are. Bounded: the oldest goes first. */
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
  /** FlowKey.kept. */
  readonly #keys = new Set<string>();

  /** `key`: for names that are not those of a packet. */
  constructor(key: FlowKey) {
    this.#key = key;
  }

  /** It is the youngest now. */
  add(key: string): void {
    this.delete(key);
    this.#keys.add(key);
    if (this.#keys.size <= MOST) return;
    for (const oldest of this.#keys) return void this.#keys.delete(oldest);
  }

  /** It is one of them, of whatever age. */
  keep(key: string): void {
    if (!this.#keys.has(key)) this.add(key);
  }

  /** Looks first: compiled code does that by itself, and deletes by a call that takes ten times as long. */
  delete(key: string): void {
    if (this.#keys.has(key)) this.#keys.delete(key);
  }

  has({ id, client, clientPort, server, serverPort }: NamedConnection): boolean {
    const key = this.#key;
    key.setConntrack(id, false);
    if (this.#keys.has(key.kept)) return true;
    if (client.length !== server.length) return false;
    const bytes = Buffer.concat([client, server]);
    const ip: Addresses = { bytes, addresses: 0, addressLength: client.length };
    key.setEndpoints(ip, { srcPort: clientPort, dstPort: serverPort });
    return this.#keys.has(key.kept);
  }
}

/** Some 1.5 MB. */
const MOST = 16_384;
