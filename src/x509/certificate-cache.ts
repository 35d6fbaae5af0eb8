/**
 * Certificates that were presented lately, by their octets: the same few come again with every handshake, and hashing
 * and walking one takes longer than finding it. Bounded in number and in octets, whatever servers send. Knows no pins.
 */
import { LRUCache } from 'lru-cache';

import { latin1Of } from '../bytes/latin1.ts';
import { type PresentedCertificate, presentCertificate } from './presented.ts';

export class CertificateCache {
  /** By their last octets, which are of the signature: of two that end alike the later one is remembered. */
  readonly #recent = new LRUCache<string, PresentedCertificate>({ max: CERTIFICATES, maxSize: OCTETS });

  /** As `presentCertificate`; of equal octets the same object, as long as it is remembered. */
  present(der: Uint8Array): PresentedCertificate {
    if (der.length > LONGEST_KEPT) return presentCertificate(der);
    const ending = latin1Of(der, Math.max(0, der.length - ENDING));
    const known = this.#recent.get(ending);
    if (known !== undefined && Buffer.compare(known.der, der) === 0) return known;
    const presented = presentCertificate(der);
    this.#recent.set(ending, presented, { size: der.length + 1 });
    return presented;
  }
}

const CERTIFICATES = 1024;
const OCTETS = 4 * 1024 * 1024;
/** Octets; longer ones are seldom, and would push many others out. */
const LONGEST_KEPT = 16 * 1024;
/** Octets that tell certificates apart, unless somebody makes them not to. */
const ENDING = 32;
