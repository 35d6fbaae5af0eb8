/**
 * Signatures of handshakes by their SignatureScheme (RFC 8446 §4.2.3, the registry "TLS SignatureScheme"): which key and
 * which padding each takes. What is signed, and which scheme may be used where, is for the callers.
 */
import { constants, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { sha256Hex } from './fingerprint.ts';
import { publicKeyOf } from './public-key.ts';

export interface SignatureScheme {
  readonly digest: string | null;
  readonly padding: 'pkcs1' | 'pss' | 'none';
  /** The family of cipher suites of TLS 1.2 that it goes with. */
  readonly authentication: 'rsa' | 'ecdsa' | 'dss';
  /** OpenSSL's names of the key types. */
  readonly keys: readonly string[];
}

/** Undefined for a number that has no scheme, or none that can be verified. */
export function signatureSchemeOf(scheme: number): SignatureScheme | undefined {
  return SCHEMES.get(scheme);
}

/** Throws what OpenSSL throws. */
export function verifySignature(
  scheme: SignatureScheme,
  key: KeyObject,
  signed: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!scheme.keys.includes(key.asymmetricKeyType ?? '')) return false;
  switch (scheme.padding) {
    case 'pkcs1':
      return verify(scheme.digest, signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case 'pss':
      return verify(
        scheme.digest,
        signed,
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
        signature,
      );
    case 'none':
      return verify(scheme.digest, signed, { key, dsaEncoding: 'der' }, signature);
    default:
      return scheme.padding satisfies never;
  }
}

/** The key of a SubjectPublicKeyInfo, remembered; null for what is not to be used. */
export function keyFor(spki: Uint8Array): KeyObject | null {
  let key = keysOfObjects.get(spki);
  if (key === undefined) {
    key = keyOfOctets(spki);
    keysOfObjects.set(spki, key);
  }
  return key;
}

function keyOfOctets(spki: Uint8Array): KeyObject | null {
  const digest = sha256Hex(spki);
  let entry = keys.get(digest);
  if (entry === undefined) {
    entry = { key: publicKeyOf(spki) };
    keys.set(digest, entry);
  }
  return entry.key;
}

/** Saves the digest where the very same object comes again. */
const keysOfObjects = new WeakMap<Uint8Array, KeyObject | null>();
const keys = new LRUCache<string, { key: KeyObject | null }>({ max: 1024 });

const rsa = (digest: string): SignatureScheme => ({ digest, padding: 'pkcs1', authentication: 'rsa', keys: ['rsa'] });
const pss = (digest: string, type: string): SignatureScheme => ({
  digest,
  padding: 'pss',
  authentication: 'rsa',
  keys: [type],
});
const ecdsa = (digest: string): SignatureScheme => ({ digest, padding: 'none', authentication: 'ecdsa', keys: ['ec'] });
const dsa = (digest: string): SignatureScheme => ({ digest, padding: 'none', authentication: 'dss', keys: ['dsa'] });
const eddsa = (type: string): SignatureScheme => ({
  digest: null,
  padding: 'none',
  authentication: 'ecdsa',
  keys: [type],
});

/** TLS SignatureScheme registry; in TLS 1.2 the ECDSA ones do not name a curve (RFC 8446 §4.2.3). MD5 is not among them. */
const SCHEMES: ReadonlyMap<number, SignatureScheme> = new Map([
  [0x0201, rsa('sha1')],
  [0x0301, rsa('sha224')],
  [0x0401, rsa('sha256')],
  [0x0501, rsa('sha384')],
  [0x0601, rsa('sha512')],
  [0x0202, dsa('sha1')],
  [0x0302, dsa('sha224')],
  [0x0402, dsa('sha256')],
  [0x0502, dsa('sha384')],
  [0x0602, dsa('sha512')],
  [0x0203, ecdsa('sha1')],
  [0x0303, ecdsa('sha224')],
  [0x0403, ecdsa('sha256')],
  [0x0503, ecdsa('sha384')],
  [0x0603, ecdsa('sha512')],
  [0x0804, pss('sha256', 'rsa')],
  [0x0805, pss('sha384', 'rsa')],
  [0x0806, pss('sha512', 'rsa')],
  [0x0809, pss('sha256', 'rsa-pss')],
  [0x080a, pss('sha384', 'rsa-pss')],
  [0x080b, pss('sha512', 'rsa-pss')],
  [0x0807, eddsa('ed25519')],
  [0x0808, eddsa('ed448')],
  // RFC 8734: TLS 1.3 only.
  [0x081a, ecdsa('sha256')],
  [0x081b, ecdsa('sha384')],
  [0x081c, ecdsa('sha512')],
]);
