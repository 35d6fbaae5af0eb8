/**
 * Parts of a capture that can be read apart from each other: packets by the pair of networks that they go between, since
 * what one connection says can matter to another one of the same client and server (a session that is resumed). Of IPv6 a
 * network is the /64, in which a client takes whatever address it likes.
 */
import type { IpOutline } from './tunnel.ts';

/** One of `count`, from 0. */
export interface Share {
  readonly index: number;
  readonly count: number;
}

/** Whether the packet is in that part; whichever end sends, it is in the same one. */
export function isIn({ index, count }: Share, ip: IpOutline): boolean {
  const { bytes, addresses, addressLength } = ip;
  const words = addressLength === 4 ? 1 : 2;
  const one = mixed(bytes, addresses, words);
  const other = mixed(bytes, addresses + addressLength, words);
  return (scattered((one + other) | 0) >>> 0) % count === index;
}

function mixed(bytes: Uint8Array, at: number, words: number): number {
  let hash = 0;
  for (let end = at + 4 * words; at < end; at += 4) {
    const word = (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
    hash = scattered(hash ^ word);
  }
  return hash;
}

/** MurmurHash3's last step. */
function scattered(hash: number): number {
  let h = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
