/**
 * Certificates that were presented lately, by their octets: the same few come again with every handshake, and hashing
 * and walking one takes longer than finding it. Bounded in number and in octets, whatever servers send. Knows no pins.
 */
import { LRUCache } from 'lru-cache';

import { type PresentedCertificate, presentCertificate } from './presented.ts';

export class CertificateCache {
  readonly #recent = new LRUCache<string, PresentedCertificate>({ max: CERTIFICATES, maxSize: OCTETS });

  /** As `presentCertificate`; of equal octets the same object, as long as it is remembered. */
  present(der: Uint8Array): PresentedCertificate {
    if (der.length > LONGEST_KEPT) return presentCertificate(der);
    const octets = Buffer.prototype.latin1Slice.call(der, 0, der.length);
    let presented = this.#recent.get(octets);
    if (presented === undefined) {
      presented = presentCertificate(der);
      this.#recent.set(octets, presented, { size: der.length + 1 });
    }
    return presented;
  }
}

const CERTIFICATES = 1024;
const OCTETS = 4 * 1024 * 1024;
/** Octets; longer ones are seldom, and would push many others out. */
const LONGEST_KEPT = 16 * 1024;
