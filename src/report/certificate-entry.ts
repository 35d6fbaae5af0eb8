/**
 * Certificates as the verdict log shows them. Digests are of the bytes as sent; names and dates are null where no
 * library reads them. Entries are kept for certificates that were seen lately, since the same few come again.
 */
import { LRUCache } from 'lru-cache';

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

/** What a certificate says about itself. */
export interface CertificateDescription {
  readonly subject: string;
  readonly issuer: string;
  /** As hexadecimal in the log's form. */
  readonly serial: string;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

export interface CertificateReaders {
  present(der: Uint8Array): PresentedCertificate;
  /** Null when it cannot be read. */
  describe(der: Uint8Array): CertificateDescription | null;
}

export class CertificateEntries {
  readonly #readers: CertificateReaders;
  readonly #full: boolean;
  readonly #recent = new LRUCache<string, CertificateEntry>({ max: RECENT });

  constructor(readers: CertificateReaders, log: 'pins' | 'full') {
    this.#readers = readers;
    this.#full = log === 'full';
  }

  entryOf(der: Uint8Array): CertificateEntry {
    const presented = this.#readers.present(der);
    const known = this.#recent.get(presented.sha256);
    if (known !== undefined) return known;
    const description = this.#readers.describe(der);
    const entry: CertificateEntry = {
      subject: description?.subject ?? null,
      issuer: description?.issuer ?? null,
      serial: description?.serial ?? null,
      not_before: dateText(description?.notBefore),
      not_after: dateText(description?.notAfter),
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

function dateText(millis: number | undefined): string | null {
  const date = millis === undefined ? undefined : new Date(millis);
  return date === undefined || Number.isNaN(date.getTime()) ? null : date.toISOString().slice(0, 19);
}

/** Certificates whose entries are kept. */
const RECENT = 1024;
