/**
 * Proof that a server has the key of its certificate: the signature of ServerKeyExchange over both randoms and the
 * parameters (RFC 5246 §7.4.3, RFC 8422 §5.4; RFC 4346 §7.4.3 below TLS 1.2). Knows keys and signatures; what is
 * signed is for the caller to put together.
 */
import { constants, hash, publicDecrypt, timingSafeEqual, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { keyFor, signatureSchemeOf, verifySignature } from './signature-scheme.ts';

export interface SignedKeyExchange {
  /** SubjectPublicKeyInfo of the leaf. */
  readonly spki: Uint8Array;
  /** Negotiated version, as on the wire. */
  readonly version: number;
  /** SignatureScheme as on the wire; 0 below TLS 1.2, where the message has none. */
  readonly scheme: number;
  /** How the cipher suite authenticates the server: `rsa`, `ecdsa`, `dss`; nothing else is signed with a certificate. */
  readonly authentication: string;
  /** client_random ‖ server_random ‖ params. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Never throws. */
export function verifyServerKeyExchange(input: SignedKeyExchange): boolean {
  const key = keyFor(input.spki);
  if (key === null) return false;
  try {
    return input.version >= TLS_1_2 ? verifyScheme(key, input) : verifyLegacy(key, input);
  } catch {
    return false;
  }
}

function verifyScheme(key: KeyObject, { scheme, authentication, signed, signature }: SignedKeyExchange): boolean {
  const known = signatureSchemeOf(scheme);
  return known?.authentication === authentication && verifySignature(known, key, signed, signature);
}

/** RFC 4346 §7.4.3: RSA signs MD5 ‖ SHA-1 without a DigestInfo; DSA, and ECDSA (RFC 4492 §5.4), sign SHA-1. */
function verifyLegacy(key: KeyObject, { authentication, signed, signature }: SignedKeyExchange): boolean {
  const type = key.asymmetricKeyType;
  if (authentication === 'rsa' && type === 'rsa') {
    const digest = Buffer.concat([hash('md5', signed, 'buffer'), hash('sha1', signed, 'buffer')]);
    const opened = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
    return opened.length === digest.length && timingSafeEqual(opened, digest);
  }
  const matches = (authentication === 'ecdsa' && type === 'ec') || (authentication === 'dss' && type === 'dsa');
  return matches && verify('sha1', signed, { key, dsaEncoding: 'der' }, signature);
}

const TLS_1_2 = 0x0303;
