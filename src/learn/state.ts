/**
 * What has been learned, as it is kept: plain JSON, by pinset and host. What is read is checked to the last key, because
 * a file that lost something would silently trust anew. Knows no files and no rules of when something counts.
 */
import { z } from 'zod';

import { TOO_DEEP, tooDeepAt } from '../pins/document/nesting.ts';

const date = z.iso.datetime();
const count = z.int().min(0);
/** Base64 of SHA-256 of a SubjectPublicKeyInfo. */
const spki = z.string().regex(/^[A-Za-z0-9+/]{43}=$/);

const seen = { count, firstSeen: date, lastSeen: date };

const issuer = z.strictObject({ spki, subject: z.string().nullable(), ...seen });

const key = z.strictObject({
  spki,
  subject: z.string().nullable(),
  ...seen,
  /** Of the host's observations the last that showed it, counted from 1. */
  lastAt: count,
  /** Keys on the verified path above it, the nearest first; of an issuer that was not sent its name's digest. */
  issuers: z.array(z.string().max(80)),
  /** The path leads to an authority that everybody trusts. */
  isPublic: z.boolean(),
  /** A certificate of it carries the host's name. */
  carriesName: z.boolean(),
});

const host = z.strictObject({
  observations: count,
  firstSeen: date,
  lastSeen: date,
  /** The last observation that showed a key for which there was no room, or none that could be read; 0: none did. */
  unlistedAt: count,
  keys: z.array(key),
  issuers: z.array(issuer),
  /** The keys that it is held to, and since when. */
  promoted: z.strictObject({ at: date, keys: z.array(spki).min(1) }).nullable(),
  /** Keys that were denied since. */
  refused: z.array(z.strictObject({ spki, subject: z.string().nullable(), ...seen })),
});

const state = z.strictObject({
  version: z.literal(1),
  /** By pinset, then by host, such as `www.bank.example:443`. */
  pinsets: z.record(z.string(), z.record(z.string(), host)),
  /** Keys that were found to sign for unrelated hosts, with names of these: they stay known when the hosts are gone. */
  shared: z.record(z.string(), z.array(z.string()).min(2)),
});

export type LearnState = z.infer<typeof state>;
export type LearnedHost = z.infer<typeof host>;
export type LearnedKey = z.infer<typeof key>;
export type LearnedIssuer = z.infer<typeof issuer>;

export const NOTHING_LEARNED: LearnState = { version: 1, pinsets: {}, shared: {} };

/** Throws a sentence that says what is wrong. */
export function parseState(text: string): LearnState {
  if (tooDeepAt(text) !== undefined) throw new Error(TOO_DEEP);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new Error(text === '' ? 'it is empty' : 'it is not JSON, or cut short', { cause });
  }
  const parsed = state.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`${issue!.path.join(' › ') || 'the document'}: ${issue!.message}`);
}

export function stateText(value: LearnState): string {
  return `${JSON.stringify(value, null, 1)}\n`;
}
