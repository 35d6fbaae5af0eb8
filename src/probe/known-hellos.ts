/**
 * Digests of hellos that came before. A client's next hello is its last one but for octets that no digest depends on:
 * where all others are equal, so are the digests, and the hello need not be written anew to be hashed. Knows no questions.
 */
import { LRUCache } from 'lru-cache';

import { type Fault, isFault } from '../bytes/fault.ts';
import { EXTENSION } from '../tls/constants.ts';
import { isGrease } from './grease.ts';
import { digestsOf, type HelloDigests, type HelloParts, type Mirror, readHelloParts, sharesOf } from './mirror.ts';

export class KnownHellos {
  readonly #digests = new LRUCache<string, HelloDigests>({ max: ENTRIES });

  /** What mirror.ts says of it. */
  mirrorOf(clientHello: Uint8Array): Mirror | Fault {
    const parts = readHelloParts(clientHello);
    if (isFault(parts)) return parts;
    if (clientHello.length > LONGEST) return { ...parts, ...digestsOf(parts) };
    const key = withoutOwnOctets(parts);
    let digests = this.#digests.get(key);
    if (digests === undefined) this.#digests.set(key, (digests = digestsOf(parts)));
    return { ...parts, ...digests };
  }
}

/** The octets of a hello, with zeros for those that every connection draws anew and every probe draws for itself. */
function withoutOwnOctets({ hello, extensions: { bodies } }: HelloParts): string {
  const octets = Buffer.from(hello.body);
  // Extensions are spans of the body.
  const blank = (part: Uint8Array | undefined): void => {
    if (part === undefined) return;
    const at = part.byteOffset - hello.body.byteOffset;
    octets.fill(0, at, at + part.length);
  };
  octets.fill(0, RANDOM, SESSION_ID);
  octets.fill(0, SESSION_ID + 1, SESSION_ID + 1 + hello.sessionId.length);
  blank(bodies.get(EXTENSION.preSharedKey));
  blank(bodies.get(EXTENSION.sessionTicket));
  const keyShare = bodies.get(EXTENSION.keyShare);
  for (const { group, keyExchange } of keyShare === undefined ? [] : sharesOf(keyShare)) {
    if (!isGrease(group)) blank(keyExchange);
  }
  return octets.toString('latin1');
}

/** RFC 8446 §4.1.2: legacy_version, random, legacy_session_id with its length. */
const RANDOM = 2;
const SESSION_ID = 34;
const ENTRIES = 256;
/** Octets of a hello that is worth remembering. */
const LONGEST = 4_096;
