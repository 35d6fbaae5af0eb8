/**
 * Where the parts of a certificate are (RFC 5280 §4.1), found by a strict walk: nothing may be missing, out of order
 * or left over. Offsets only; what the parts mean is for others.
 */
import { DerReader, TAG } from './der.ts';
import type { DerElement } from './der.ts';

export interface CertificateOutline {
  /** TBSCertificate, as it is signed. */
  readonly tbs: DerElement;
  /** 1, 2 or 3. */
  readonly version: number;
  readonly serial: DerElement;
  readonly innerSignatureAlgorithm: DerElement;
  readonly issuer: DerElement;
  readonly validity: DerElement;
  readonly subject: DerElement;
  readonly spki: DerElement;
  /** The SEQUENCE OF Extension, without its explicit tag. */
  readonly extensions: DerElement | null;
  readonly signatureAlgorithm: DerElement;
  /** BIT STRING. */
  readonly signature: DerElement;
}

/** Null when the bytes are not exactly one certificate. */
export function outlineOf(der: Uint8Array): CertificateOutline | null {
  const top = new DerReader(der);
  const certificate = top.enter(TAG.sequence);
  const tbs = certificate.expect(TAG.sequence);
  const signatureAlgorithm = certificate.expect(TAG.sequence);
  const signature = certificate.expect(TAG.bitString);
  certificate.finish();
  top.finish();

  const fields = certificate.inside(tbs);
  const version = readVersion(fields);
  const serial = fields.expect(TAG.integer);
  const innerSignatureAlgorithm = fields.expect(TAG.sequence);
  const issuer = fields.expect(TAG.sequence);
  const validity = fields.expect(TAG.sequence);
  const subject = fields.expect(TAG.sequence);
  const spki = fields.expect(TAG.sequence);
  fields.optional(ISSUER_UNIQUE_ID);
  fields.optional(SUBJECT_UNIQUE_ID);
  const extensions = readExtensions(fields);
  fields.finish();
  if (!top.ok) return null;
  return {
    tbs,
    version,
    serial,
    innerSignatureAlgorithm,
    issuer,
    validity,
    subject,
    spki,
    extensions,
    signatureAlgorithm,
    signature,
  };
}

function readVersion(fields: DerReader): number {
  const tagged = fields.optional(EXPLICIT_VERSION);
  if (tagged === undefined) return 1;
  const inside = fields.inside(tagged);
  const value = inside.content(inside.expect(TAG.integer));
  inside.finish();
  if (value.length !== 1 || value[0]! > 2) fields.fail();
  return (value[0] ?? 0) + 1;
}

function readExtensions(fields: DerReader): DerElement | null {
  const tagged = fields.optional(EXPLICIT_EXTENSIONS);
  if (tagged === undefined) return null;
  const inside = fields.inside(tagged);
  const list = inside.expect(TAG.sequence);
  inside.finish();
  return list;
}

const EXPLICIT_VERSION = 0xa0;
const ISSUER_UNIQUE_ID = 0x81;
const SUBJECT_UNIQUE_ID = 0x82;
const EXPLICIT_EXTENSIONS = 0xa3;
