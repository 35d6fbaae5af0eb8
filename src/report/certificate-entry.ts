/**
 * Certificates as the verdict log shows them. Digests are of the bytes as sent; names and dates are null where no
 * library reads them. Entries are kept for certificates that were seen lately, since the same few come again.
 */
import { LRUCache } from 'lru-cache';

import type { CertificateDescription } from '../x509/certificate.ts';
import type { PresentedCertificate } from '../x509/presented.ts';

export interface CertificateEntry {
  readonly subject: string | null;
  readonly issuer: string | null;
  /** `0A:1B:…`. */
  readonly serial: string | null;
  /** `2026-11-21T19:31:36`, UTC. */
  readonly not_before: string | null;
  readonly not_after: string | null;
  readonly sha1: string;
  readonly sha256: string;
  /** Base64; null when a strict walk does not find the key. */
  readonly spki_sha256: string | null;
  /** `rsa:<hex>`. */
  readonly public_key: string | null;
  /** Base64, where the configuration asks for it. */
  readonly der?: string;
}

export interface CertificateReaders {
  present(der: Uint8Array): PresentedCertificate;
  describe(der: Uint8Array): CertificateDescription;
}

export class CertificateEntries {
  readonly #readers: CertificateReaders;
  readonly #full: boolean;
  readonly #recent = new LRUCache<string, CertificateEntry>({ max: RECENT });
  /** Of the very same object nothing is hashed again. */
  readonly #ofObjects = new WeakMap<Uint8Array, CertificateEntry>();

  constructor(readers: CertificateReaders, log: 'pins' | 'full') {
    this.#readers = readers;
    this.#full = log === 'full';
  }

  entryOf(der: Uint8Array): CertificateEntry {
    let entry = this.#ofObjects.get(der);
    if (entry === undefined) {
      entry = this.#entryOfOctets(der);
      this.#ofObjects.set(der, entry);
    }
    return entry;
  }

  #entryOfOctets(der: Uint8Array): CertificateEntry {
    const presented = this.#readers.present(der);
    const known = this.#recent.get(presented.sha256);
    if (known !== undefined) return known;
    const description = this.#readers.describe(der);
    const entry: CertificateEntry = {
      subject: description.subject,
      issuer: description.issuer,
      serial: description.serial,
      not_before: description.notBefore,
      not_after: description.notAfter,
      sha1: presented.sha1,
      sha256: presented.sha256,
      spki_sha256: presented.spkiSha256 === null ? null : Buffer.from(presented.spkiSha256, 'hex').toString('base64'),
      public_key: presented.key,
      ...(this.#full ? { der: Buffer.from(der).toString('base64') } : {}),
    };
    this.#recent.set(presented.sha256, entry);
    return entry;
  }
}

/** Certificates whose entries are kept. */
const RECENT = 1024;
