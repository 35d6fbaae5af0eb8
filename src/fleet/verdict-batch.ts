/**
 * Decisions of one gateway on their way through the fleet's stream: some records together, folded up and sealed, so that
 * who carries them can neither read nor make any. Octets come from strangers: bounded, and never throwing. Knows nothing
 * of what a record says.
 *
 *   length of the heading (2 octets) | heading (JSON) | sealed: gzip of lines of JSON
 */
import { createHmac } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';

import { z } from 'zod';

import { seal, unseal } from './sealed.ts';

/** One batch, and no other: the same one again is a double. */
export interface BatchHeading {
  readonly gateway: string;
  /** Of one process of the gateway: when it began, in milliseconds since the epoch. */
  readonly run: number;
  /** Counts its batches from 1. */
  readonly number: number;
  readonly records: number;
}

export interface Batch {
  readonly heading: BatchHeading;
  readonly records: readonly unknown[];
}

/** Which fleet's, and the key of its verdicts. */
export interface VerdictSeal {
  readonly fleet: string;
  readonly key: Uint8Array;
}

/** `lines`: records in JSON, each with its end of line. */
export function batchOctets(heading: BatchHeading, lines: readonly string[], of: VerdictSeal): Uint8Array {
  const text = Buffer.from(JSON.stringify(heading));
  const sealed = seal(gzipSync(lines.join(''), { level: 1 }), keyOf(heading, of), text);
  return Buffer.concat([Uint8Array.of(text.length >> 8, text.length & 0xff), text, sealed]);
}

/** Undefined where its seal is not of that key, or what is sealed is not understood. */
export function openBatch(octets: Uint8Array, of: VerdictSeal): Batch | undefined {
  if (octets.length > MOST_OCTETS || octets.length < 2) return undefined;
  const start = 2 + ((octets[0]! << 8) | octets[1]!);
  const text = octets.subarray(2, start);
  try {
    const heading = headings.parse(JSON.parse(new TextDecoder().decode(text)));
    const folded = unseal(octets.subarray(start), keyOf(heading, of), text);
    if (folded === undefined) return undefined;
    const lines = gunzipSync(folded, { maxOutputLength: MOST_UNFOLDED }).toString('utf8').split('\n');
    return { heading, records: lines.slice(0, -1).map((line): unknown => JSON.parse(line)) };
  } catch {
    return undefined;
  }
}

/** With which sending it again does no harm. */
export function batchId({ gateway, run, number }: BatchHeading): string {
  return `${gateway}.${run}.${number}`;
}

/** One for each process: nonces are drawn by lot, and no key is to see too many. */
function keyOf({ gateway, run }: BatchHeading, { fleet, key }: VerdictSeal): Buffer {
  return createHmac('sha256', key).update(`tlspin verdicts 1 ${fleet} ${gateway} ${run}`).digest();
}

const headings = z.strictObject({
  gateway: z.string().regex(/^[\w-]{1,64}$/),
  run: z.int().min(1),
  number: z.int().min(1),
  records: z.int().min(1),
});
/** What servers of NATS take at the most, unless told. */
export const MOST_OCTETS = 1_000_000;
const MOST_UNFOLDED = 64 * 1024 * 1024;
