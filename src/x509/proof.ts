/**
 * Proof that a server has the key of its certificate: the signature of ServerKeyExchange over both randoms and the
 * parameters (RFC 5246 §7.4.3, RFC 8422 §5.4; RFC 4346 §7.4.3 below TLS 1.2). Knows keys and signatures; what is
 * signed is for the caller to put together.
 */
import { constants, hash, publicDecrypt, timingSafeEqual, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { sha256Hex } from './fingerprint.ts';
import { publicKeyOf } from './public-key.ts';

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
  const known = SCHEMES.get(scheme);
  if (known === undefined || known.authentication !== authentication) return false;
  if (!known.keys.includes(key.asymmetricKeyType ?? '')) return false;
  switch (known.padding) {
    case 'pkcs1':
      return verify(known.digest, signed, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case 'pss':
      return verify(
        known.digest,
        signed,
        { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
        signature,
      );
    case 'none':
      return verify(known.digest, signed, { key, dsaEncoding: 'der' }, signature);
    default:
      return known.padding satisfies never;
  }
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

function keyFor(spki: Uint8Array): KeyObject | null {
  const digest = sha256Hex(spki);
  let entry = keys.get(digest);
  if (entry === undefined) {
    entry = { key: publicKeyOf(spki) };
    keys.set(digest, entry);
  }
  return entry.key;
}

interface Scheme {
  readonly digest: string | null;
  readonly padding: 'pkcs1' | 'pss' | 'none';
  readonly authentication: string;
  /** OpenSSL's names of the key types. */
  readonly keys: readonly string[];
}

const keys = new LRUCache<string, { key: KeyObject | null }>({ max: 1024 });
const TLS_1_2 = 0x0303;

const rsa = (digest: string): Scheme => ({ digest, padding: 'pkcs1', authentication: 'rsa', keys: ['rsa'] });
const pss = (digest: string, type: string): Scheme => ({ digest, padding: 'pss', authentication: 'rsa', keys: [type] });
const ecdsa = (digest: string): Scheme => ({ digest, padding: 'none', authentication: 'ecdsa', keys: ['ec'] });
const dsa = (digest: string): Scheme => ({ digest, padding: 'none', authentication: 'dss', keys: ['dsa'] });
const eddsa = (type: string): Scheme => ({ digest: null, padding: 'none', authentication: 'ecdsa', keys: [type] });

/** TLS SignatureScheme registry; in TLS 1.2 the ECDSA ones do not name a curve (RFC 8446 §4.2.3). MD5 is not among them. */
const SCHEMES: ReadonlyMap<number, Scheme> = new Map([
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
]);
