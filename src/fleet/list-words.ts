/**
 * What gateways tell each other of a part of a list: words on entries, and a seal that only who has the fleet's list key
 * can make, over where they belong as well. Octets come from whoever has the carrier: bounded, and never throwing. Old
 * ones that are played again do no harm, since newer words count.
 *
 *   seal (HMAC-SHA256, 32 octets) | lines of "+entry milliseconds gateway" or "-entry …"
 */
import { createHmac, timingSafeEqual } from 'node:crypto';

import type { Mark } from '../pins/lists/shared-set.ts';

/** Which part of which list. */
export interface Place {
  readonly fleet: string;
  readonly list: string;
  readonly shard: number;
}

export function wordsOctets(words: ReadonlyMap<string, Mark>, place: Place, key: Uint8Array): Uint8Array {
  const lines = [...words].map(([entry, { isPresent, at, by }]) => `${isPresent ? '+' : '-'}${entry} ${at} ${by}`);
  const text = new TextEncoder().encode(lines.join('\n'));
  return Buffer.concat([seal(text, place, key), text]);
}

/** Undefined where the seal is not of that key and place, or what is sealed is not understood. */
export function parseWords(octets: Uint8Array, place: Place, key: Uint8Array): Map<string, Mark> | undefined {
  if (octets.length < SEAL_OCTETS || octets.length > MOST_OCTETS) return undefined;
  const text = octets.subarray(SEAL_OCTETS);
  if (!timingSafeEqual(octets.subarray(0, SEAL_OCTETS), seal(text, place, key))) return undefined;
  const words = new Map<string, Mark>();
  for (const line of new TextDecoder().decode(text).split('\n')) {
    if (line === '') continue;
    const [, sign, entry, at, by] = LINE.exec(line) ?? [];
    if (entry === undefined || shardOf(entry) !== place.shard) return undefined;
    words.set(entry, { isPresent: sign === '+', at: Number(at), by: by! });
  }
  return words;
}

/** FNV-1a: all gateways have to agree on it. */
export function shardOf(entry: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < entry.length; at++) hash = Math.imul(hash ^ entry.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % SHARDS;
}

function seal(text: Uint8Array, { fleet, list, shard }: Place, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`tlspin list 1 ${fleet} ${list} ${shard}\n`).update(text).digest();
}

/** A change sends one of them, a new gateway is sent all: a hundred entries each where there are 100,000. */
export const SHARDS = 1024;
const SEAL_OCTETS = 32;
/** What servers of NATS take at the most, unless told. */
export const MOST_OCTETS = 1_000_000;
const LINE = /^([+-])(\S+) (\d{1,15}) ([\w-]{0,64})$/;
