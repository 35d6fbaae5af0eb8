/**
 * Delegated credentials (RFC 9345): a key that a leaf's key has signed for a few days, and that signs handshakes in its
 * place. The certificate is the leaf all the same. Knows keys, dates and signatures; nothing of handshakes.
 */
import { X509Certificate } from 'node:crypto';
import { ByteReader } from '../bytes/reader.ts';
import { DerReader, TAG } from './der.ts';
import { EXTENSION, extensionsOf } from './extensions.ts';
import type { Extension } from './extensions.ts';
import { outlineOf } from './outline.ts';
import { keyFor, signatureSchemeOf, verifySignature } from './signature-scheme.ts';

export interface DelegatedKey {
  /** SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  /** The one SignatureScheme that it signs with. */
  readonly scheme: number;
}

/** Null where the credential is none that this leaf has given and that counts now. Never throws. */
export function delegatedKeyOf(credential: Uint8Array, leaf: Uint8Array, atMs: number): DelegatedKey | null {
  const outline = outlineOf(leaf);
  const extensions = outline === null ? null : extensionsOf(leaf, outline);
  const reader = new ByteReader(credential);
  const validTime = reader.u32();
  const scheme = reader.u16();
  const spki = reader.vector24().rest();
  const signedLength = reader.at + 2;
  const leafScheme = reader.u16();
  const signature = reader.vector16().rest();
  if (!reader.atEnd() || outline === null || extensions === null) return null;
  // RFC 9345 §4.2: only certificates that say so may delegate, and only keys that sign.
  const mayDelegate = extensions.has(DELEGATION_USAGE) && maySign(extensions.get(EXTENSION.keyUsage));
  const expires = notBeforeOf(leaf) + validTime * 1000;
  const isInTime = atMs <= expires && expires - atMs <= MAX_VALIDITY_MS;
  if (!mayDelegate || !isInTime) return null;
  const signed = Buffer.concat([SIGNATURE_CONTEXT, leaf, credential.subarray(0, signedLength)]);
  const key = keyFor(leaf.subarray(outline.spki.start, outline.spki.end));
  const known = signatureSchemeOf(leafScheme);
  try {
    return key !== null && known !== undefined && verifySignature(known, key, signed, signature)
      ? { spki, scheme }
      : null;
  } catch {
    return null;
  }
}

/** By OpenSSL, which every thread has; NaN, which nothing compares with, where it cannot be read. */
function notBeforeOf(certificate: Uint8Array): number {
  try {
    return Date.parse(new X509Certificate(certificate).validFrom);
  } catch {
    return NaN;
  }
}

/** RFC 5280 §4.2.1.3: digitalSignature is bit 0. */
function maySign(keyUsage: Extension | undefined): boolean {
  if (keyUsage === undefined) return false;
  const top = new DerReader(keyUsage.value);
  const bits = top.content(top.expect(TAG.bitString));
  return top.atEnd() && bits.length >= 2 && (bits[1]! & 0x80) !== 0;
}

const DELEGATION_USAGE = '1.3.6.1.4.1.44363.44';
/** RFC 9345 §4.1.3. */
const MAX_VALIDITY_MS = 7 * 86_400_000;
/** RFC 9345 §4. */
const SIGNATURE_CONTEXT = Buffer.from(`${' '.repeat(64)}TLS, server delegated credentials\0`, 'latin1');
