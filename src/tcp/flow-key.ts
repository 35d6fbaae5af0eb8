/**
 * What names a flow: both endpoints, in one order whichever of them sends. Where conntrack gives an id, that id alone,
 * which NAT does not disturb. One reused object a worker. Knows no flow.
 */
import { latin1Of } from '../bytes/latin1.ts';
import { u32 } from '../bytes/words.ts';
import type { IpView } from '../packet/ip.ts';
import type { TcpView } from '../packet/tcp.ts';

/** Where a packet has its addresses, the destination behind the source. */
export type Addresses = Pick<IpView, 'bytes' | 'addresses' | 'addressLength'>;

/** Words of a key: two addresses of four words, and both ports. */
export const KEY_WORDS = 9;

/** Whether it has words that only addresses of IPv6 have. */
export function isWide(words: Uint32Array): boolean {
  return (words[1]! | words[2]! | words[3]! | words[5]! | words[6]! | words[7]!) !== 0;
}

export class FlowKey {
  readonly words = new Uint32Array(KEY_WORDS);
  readonly #octets = new Uint8Array(this.words.buffer);
  hash = 0;
  /** True when the sender's endpoint is the first of the key. */
  forward = false;
  readonly #seed: number;

  /** A secret seed keeps peers from choosing endpoints that collide. */
  constructor(seed: number) {
    this.#seed = seed | 0;
  }

  setEndpoints(ip: Addresses, { srcPort, dstPort }: Pick<TcpView, 'srcPort' | 'dstPort'>): void {
    const { bytes, addressLength } = ip;
    const source = ip.addresses;
    if (addressLength === 4) return this.#setIpv4(u32(bytes, source), u32(bytes, source + 4), srcPort, dstPort);
    const destination = source + addressLength;
    this.forward = precedes(bytes, source, destination, addressLength, srcPort, dstPort);
    this.#address(0, bytes, this.forward ? source : destination);
    this.#address(4, bytes, this.forward ? destination : source);
    this.words[8] = this.forward ? srcPort * 0x10000 + dstPort : dstPort * 0x10000 + srcPort;
    this.#mix();
  }

  /** The conntrack id with its direction; zone and tuple are the kernel's business. */
  setConntrack(ctid: number, isReply: boolean): void {
    const { words } = this;
    words[0] = ctid;
    words[1] = words[2] = words[3] = 0;
    words[4] = CONNTRACK_TAG;
    words[5] = words[6] = words[7] = words[8] = 0;
    this.forward = !isReply;
    this.#mix();
  }

  /** A copy that is small to keep: two characters for each of the words that most keys have, or one for each octet. */
  get kept(): string {
    const { words } = this;
    if (isWide(words)) return latin1Of(this.#octets);
    const first = words[0]!;
    const second = words[4]!;
    const ports = words[8]!;
    return String.fromCharCode(first >>> 16, first, second >>> 16, second, ports >>> 16, ports);
  }

  /** Names the flow of a kept copy. */
  restore(kept: string): this {
    const { words } = this;
    if (kept.length === KEPT_NARROW) {
      words[1] = words[2] = words[3] = words[5] = words[6] = words[7] = 0;
      words[0] = wordAt(kept, 0);
      words[4] = wordAt(kept, 2);
      words[8] = wordAt(kept, 4);
    } else {
      for (let i = 0; i < this.#octets.length; i++) this.#octets[i] = kept.charCodeAt(i);
    }
    this.#mix();
    return this;
  }

  #setIpv4(source: number, destination: number, srcPort: number, dstPort: number): void {
    const { words } = this;
    const forward = source === destination ? srcPort <= dstPort : source < destination;
    this.forward = forward;
    words[0] = forward ? source : destination;
    words[1] = words[2] = words[3] = 0;
    words[4] = forward ? destination : source;
    words[5] = words[6] = words[7] = 0;
    words[8] = forward ? srcPort * 0x10000 + dstPort : dstPort * 0x10000 + srcPort;
    this.#mix();
  }

  #address(word: number, bytes: Uint8Array, at: number): void {
    for (let i = 0; i < 4; i++) this.words[word + i] = u32(bytes, at + 4 * i);
  }

  /** MurmurHash3's mixing of 32-bit words, seeded; of words that only addresses of IPv6 have, where there are any. */
  #mix(): void {
    const { words } = this;
    let h = mixed(mixed(mixed(this.#seed, words[0]!), words[4]!), words[8]!);
    if (isWide(words)) {
      for (let i = 1; i < 4; i++) h = mixed(mixed(h, words[i]!), words[4 + i]!);
    }
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    this.hash = (h ^ (h >>> 16)) >>> 0;
  }
}

/** No address ends in this word together with an all-zero remainder: 255.255.255.255 is nobody's endpoint. */
const CONNTRACK_TAG = 0xffffffff;

/** Characters of a kept copy that has three words. */
const KEPT_NARROW = 6;

function wordAt(kept: string, at: number): number {
  return (kept.charCodeAt(at) << 16) | kept.charCodeAt(at + 1);
}

function mixed(hash: number, word: number): number {
  let k = Math.imul(word, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}

function precedes(b: Uint8Array, x: number, y: number, length: number, xPort: number, yPort: number): boolean {
  for (let i = 0; i < length; i++) {
    const difference = b[x + i]! - b[y + i]!;
    if (difference !== 0) return difference < 0;
  }
  return xPort <= yPort;
}
