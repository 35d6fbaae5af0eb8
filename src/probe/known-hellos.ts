/**
 * Digests of hellos that came before. A client's next hello is its last one but for octets that no digest depends on:
 * where all others are equal, so are the digests, and the hello need not be written anew to be hashed. Knows no questions.
 */
import { LRUCache } from 'lru-cache';

import { type Fault, isFault } from '../bytes/fault.ts';
import { HelloDigests, Mirror, readHelloParts } from './mirror.ts';
import { withoutOwnOctets } from './own-octets.ts';

export class KnownHellos {
  readonly #digests = new LRUCache<string, HelloDigests>({ max: ENTRIES });

  /** What mirror.ts says of it. */
  mirrorOf(clientHello: Uint8Array): Mirror | Fault {
    const parts = readHelloParts(clientHello);
    if (isFault(parts)) return parts;
    const key = clientHello.length > LONGEST ? undefined : withoutOwnOctets(parts.hello.body);
    if (key === undefined) return new Mirror(parts, new HelloDigests(parts));
    let digests = this.#digests.get(key);
    if (digests === undefined) this.#digests.set(key, (digests = new HelloDigests(parts)));
    return new Mirror(parts, digests);
  }
}

const ENTRIES = 256;
/** Octets of a hello that is worth remembering. */
const LONGEST = 4_096;
