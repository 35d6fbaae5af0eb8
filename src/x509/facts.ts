/**
 * What a certificate says of itself, as far as paths need it (RFC 5280 §4.1, §4.2): read once for each certificate and
 * kept by its SHA-256, bounded in number and in octets. Whether any of it is true is for the path.
 */
import { X509Certificate } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { EXTENSION, extensionsOf } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { sha256Hex } from './fingerprint.ts';
import { subjectNamesOf } from './name-check.ts';
import type { SubjectNames } from './name-check.ts';
import { outlineOf } from './outline.ts';
import type { CertificateOutline } from './outline.ts';
import { readBasicConstraints, readKeyCertSign, readPurposes } from './usage.ts';
import { validityOf } from './validity.ts';
import type { Validity } from './validity.ts';

export interface CertificateFacts extends Validity {
  readonly sha256: string;
  readonly der: Uint8Array;
  readonly outline: CertificateOutline;
  /** The octets of the names, as map keys. */
  readonly subject: string;
  readonly issuer: string;
  readonly extensions: ReadonlyMap<string, Extension>;
  readonly names: SubjectNames;
  /** basicConstraints says CA. */
  readonly isCa: boolean;
  /** Infinity when there is none. */
  readonly pathLen: number;
  /** keyUsage is absent or has keyCertSign. */
  readonly maySignCertificates: boolean;
  /** extKeyUsage is absent or allows TLS servers. */
  readonly mayServe: boolean;
  readonly hasUnknownCritical: boolean;
  /** OpenSSL's view, for signatures; null when OpenSSL cannot read it. */
  readonly x509: X509Certificate | null;
}

/** Null where nothing can be relied on. */
export function factsOf(der: Uint8Array): CertificateFacts | null {
  const sha256 = sha256Hex(der);
  const known = cache.get(sha256);
  if (known !== undefined) return known.facts;
  const facts = readFacts(new Uint8Array(der), sha256);
  cache.set(sha256, { facts }, { size: der.length + 1 });
  return facts;
}

export function isValidAt(facts: CertificateFacts, atMs: number): boolean {
  return facts.notBefore <= atMs && atMs <= facts.notAfter;
}

function readFacts(der: Uint8Array, sha256: string): CertificateFacts | null {
  const outline = outlineOf(der);
  const extensions = outline === null ? null : extensionsOf(der, outline);
  if (outline === null || extensions === null) return null;
  const basicConstraints = extensions.get(EXTENSION.basicConstraints);
  const keyUsage = extensions.get(EXTENSION.keyUsage);
  const extKeyUsage = extensions.get(EXTENSION.extKeyUsage);
  const { isCa, pathLen } = basicConstraints === undefined ? NOT_SAID : readBasicConstraints(basicConstraints.value);
  return {
    sha256,
    der,
    outline,
    subject: octets(der, outline.subject.start, outline.subject.end),
    issuer: octets(der, outline.issuer.start, outline.issuer.end),
    ...validityOf(der, outline),
    extensions,
    names: subjectNamesOf(extensions),
    isCa,
    pathLen,
    maySignCertificates: keyUsage === undefined || readKeyCertSign(keyUsage.value),
    mayServe:
      extKeyUsage === undefined || readPurposes(extKeyUsage.value).some((each) => SERVER_PURPOSES.includes(each)),
    hasUnknownCritical: [...extensions].some(([oid, { critical }]) => critical && !UNDERSTOOD.includes(oid)),
    x509: openssl(der),
  };
}

function openssl(der: Uint8Array): X509Certificate | null {
  try {
    return new X509Certificate(der);
  } catch {
    return null;
  }
}

function octets(der: Uint8Array, start: number, end: number): string {
  return Buffer.from(der.buffer, der.byteOffset + start, end - start).toString('latin1');
}

const CERTIFICATES = 1024;
/** Of certificates; what is read out of one takes up a few times as many. */
const OCTETS = 8 * 1024 * 1024;
/** Certificates of CAs come again and again; leaves are as many as servers, and as long as these like. */
const cache = new LRUCache<string, { facts: CertificateFacts | null }>({ max: CERTIFICATES, maxSize: OCTETS });

const NOT_SAID = { isCa: false, pathLen: Infinity };
/** Extensions that the path takes into account, or that do not matter to whether a key may be believed. */
const UNDERSTOOD: readonly string[] = Object.values(EXTENSION);
/** serverAuth, any, and the two of export times that still stand in old intermediates. */
const SERVER_PURPOSES = ['1.3.6.1.5.5.7.3.1', '2.5.29.37.0', '2.16.840.1.113730.4.1', '1.3.6.1.4.1.311.10.3.3'];
