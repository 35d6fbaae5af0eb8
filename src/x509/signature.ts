/**
 * Whether one certificate's signature was made with another's key: RSA (PKCS #1 v1.5 and PSS), ECDSA on P-256, P-384 and
 * P-521, Ed25519, with SHA-256, SHA-384 or SHA-512 (RFC 5280 §4.1.1.2, RFC 4055, RFC 5758, RFC 8410). Everything else,
 * MD5 and SHA-1 above all, is no link.
 */
import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { DerReader, oidText, TAG } from './der.ts';
import type { DerElement } from './der.ts';
import type { CertificateFacts } from './facts.ts';
import { keyKind, readSpki } from './spki.ts';

/** Never throws. The answer for a pair of certificates is remembered. */
export function isSignedBy(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  const pair = `${certificate.sha256} ${issuer.sha256}`;
  let answer = answers.get(pair);
  if (answer === undefined) {
    answer = verify(certificate, issuer);
    answers.set(pair, answer);
  }
  return answer;
}

/** A key that signatures may be checked with; null for what OpenSSL cannot read and for sizes that would take too long. */
export function publicKeyOf(spki: Uint8Array): KeyObject | null {
  if (spki.length > MAX_SPKI_OCTETS) return null;
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return isReasonable(key) ? key : null;
  } catch {
    return null;
  }
}

function verify(certificate: CertificateFacts, issuer: CertificateFacts): boolean {
  if (certificate.x509 === null || !isStrong(certificate)) return false;
  const spki = issuer.der.subarray(issuer.outline.spki.start, issuer.outline.spki.end);
  const publicKey = readSpki(spki);
  if (publicKey === null || !KEY_KINDS.includes(keyKind(publicKey) ?? '')) return false;
  const key = publicKeyOf(spki);
  if (key === null) return false;
  try {
    return certificate.x509.verify(key);
  } catch {
    return false;
  }
}

/** RFC 5280 §4.1.1.2: the algorithm inside what is signed must be the one outside. */
function isStrong({ der, outline }: CertificateFacts): boolean {
  const { signatureAlgorithm: outer, innerSignatureAlgorithm: inner } = outline;
  const same = Buffer.compare(der.subarray(outer.start, outer.end), der.subarray(inner.start, inner.end)) === 0;
  if (!same) return false;
  const top = new DerReader(der, outer.start, outer.end);
  const identifier = top.enter(TAG.sequence);
  const algorithm = oidText(identifier.content(identifier.expect(TAG.oid)));
  const parameters = identifier.more() ? identifier.next() : null;
  if (!top.ok || algorithm === undefined) return false;
  if (algorithm === RSASSA_PSS) return parameters !== null && arePssStrong(identifier, parameters);
  return STRONG.includes(algorithm);
}

/** RFC 4055 §3.1: what is left out is SHA-1. */
function arePssStrong(reader: DerReader, parameters: DerElement): boolean {
  if (parameters.tag !== TAG.sequence) return false;
  const fields = reader.inside(parameters);
  const digest = fields.optional(0xa0);
  const mask = fields.optional(0xa1);
  if (digest === undefined || mask === undefined) return false;
  const digestOid = oidOf(fields.inside(digest).enter(TAG.sequence));
  const mgf = fields.inside(mask).enter(TAG.sequence);
  const mgfOid = oidOf(mgf);
  const maskDigestOid = oidOf(mgf.enter(TAG.sequence));
  return fields.ok && mgfOid === MGF1 && DIGESTS.includes(digestOid ?? '') && DIGESTS.includes(maskDigestOid ?? '');
}

function oidOf(identifier: DerReader): string | undefined {
  return oidText(identifier.content(identifier.expect(TAG.oid)));
}

function isReasonable(key: KeyObject): boolean {
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined) return true;
  return modulusLength >= 1024 && modulusLength <= 16_384 && (publicExponent ?? 0n) < 1n << 64n;
}

const answers = new LRUCache<string, boolean>({ max: 4096 });

/** 16,384 bits of RSA, with room for the frame. */
const MAX_SPKI_OCTETS = 2_400;
const KEY_KINDS = ['rsa', 'rsa-pss', 'ec(P-256)', 'ec(P-384)', 'ec(P-521)', 'ed25519'];
const RSASSA_PSS = '1.2.840.113549.1.1.10';
const MGF1 = '1.2.840.113549.1.1.8';
/** sha256, sha384, sha512. */
const DIGESTS = ['2.16.840.1.101.3.4.2.1', '2.16.840.1.101.3.4.2.2', '2.16.840.1.101.3.4.2.3'];
/** shaNNNWithRSAEncryption, ecdsa-with-SHANNN, Ed25519. */
const STRONG = [
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.3.101.112',
];
