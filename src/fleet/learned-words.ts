/**
 * What a gateway tells the others of what it has learned: of each host the keys that it shows lately, and how often they
 * were seen. Told in parts, each sealed for its gateway and its place, so that who carries them can neither read nor make
 * any. Octets come from strangers: bounded, and never throwing. Knows nothing of what comes of it.
 */
import { createHmac } from 'node:crypto';

import { z } from 'zod';

import { shardOf } from './list-words.ts';
import { seal, unseal } from './sealed.ts';

export interface HostWord {
  readonly pinset: string;
  /** `www.bank.example:443`. */
  readonly host: string;
  readonly observations: number;
  readonly keys: readonly { readonly spki: string; readonly count: number }[];
}

export interface LearnedPart {
  /** Of whoever tells, in milliseconds since the epoch: a word that is played again is older than what is known. */
  readonly at: number;
  readonly network: string;
  readonly hosts: readonly HostWord[];
}

/** Which part of what which gateway has learned. */
export interface LearnedPlace {
  readonly fleet: string;
  readonly gateway: string;
  readonly part: number;
}

export function partOctets(part: LearnedPart, place: LearnedPlace, key: Uint8Array): Uint8Array {
  return seal(Buffer.from(JSON.stringify(part)), keyOf(place, key), besideOf(place));
}

/** Undefined where its seal is not of that key and place, or what is sealed is not understood. */
export function openPart(octets: Uint8Array, place: LearnedPlace, key: Uint8Array): LearnedPart | undefined {
  if (octets.length > MOST_OCTETS) return undefined;
  const text = unseal(octets, keyOf(place, key), besideOf(place))?.toString('utf8');
  try {
    return text === undefined ? undefined : parts.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

export function partOf({ pinset, host }: Pick<HostWord, 'pinset' | 'host'>): number {
  return shardOf(`${pinset} ${host}`) % PARTS;
}

/** One for each gateway: nonces are drawn by lot, and no key is to see too many. */
function keyOf({ fleet, gateway }: LearnedPlace, key: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`tlspin learned 1 ${fleet} ${gateway}`).digest();
}

function besideOf({ part }: LearnedPlace): Buffer {
  return Buffer.from(`part ${part}`);
}

const count = z.int().min(0);
const parts = z.strictObject({
  at: count,
  network: z.string().max(64),
  hosts: z.array(
    z.strictObject({
      pinset: z.string().max(1_000),
      host: z.string().max(300),
      observations: count,
      keys: z.array(z.strictObject({ spki: z.string().regex(/^[A-Za-z0-9+/]{43}=$/), count })).max(64),
    }),
  ),
});

/** A change sends one of them, a new gateway is sent all of all gateways. */
export const PARTS = 64;
/** What servers of NATS take at the most, unless told. */
export const MOST_OCTETS = 1_000_000;
