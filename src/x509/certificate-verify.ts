/**
 * CertificateVerify of TLS 1.3 (RFC 8446 §4.4.3): proof that a server has the key of its certificate. Knows keys and
 * signatures; what is signed is for the caller to put together.
 */
import { delegatedKeyOf } from './delegated-credential.ts';
import { isMlDsa, verifyMlDsa } from './ml-dsa.ts';
import { keyFor, signatureSchemeOf, verifySignature } from './signature-scheme.ts';
import { spkiOf } from './spki.ts';

/** What a server shows in a handshake of TLS 1.3. */
export interface ShownIdentity extends Omit<SignedTranscript, 'spki'> {
  /** DER, leaf first; of a raw public key its one SubjectPublicKeyInfo. */
  readonly certificates: readonly Uint8Array[];
  readonly isRawPublicKey: boolean;
  /** RFC 9345. */
  readonly delegatedCredential: Uint8Array | null;
}

/** Whether it has the key of its leaf, or one that this key stands for. Never throws. */
export function verifyIdentity(shown: ShownIdentity, atMs: number): boolean {
  const { certificates, isRawPublicKey, delegatedCredential, scheme } = shown;
  const leaf = certificates[0];
  if (leaf === undefined) return false;
  if (delegatedCredential !== null && !isRawPublicKey) {
    const delegated = delegatedKeyOf(delegatedCredential, leaf, atMs);
    return delegated?.scheme === scheme && verifyCertificateVerify({ ...shown, spki: delegated.spki });
  }
  const spki = isRawPublicKey ? leaf : spkiOf(leaf);
  return spki !== null && verifyCertificateVerify({ ...shown, spki });
}

export interface SignedTranscript {
  /** SubjectPublicKeyInfo of the leaf, or the raw public key. */
  readonly spki: Uint8Array;
  /** SignatureScheme as on the wire. */
  readonly scheme: number;
  /** The 64 blanks, the context, and the hash of the transcript. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** Never throws. */
export function verifyCertificateVerify({ spki, scheme, signed, signature }: SignedTranscript): boolean {
  if (isMlDsa(scheme)) return verifyMlDsa(scheme, spki, signed, signature);
  const curve = SCHEMES_OF_TLS_1_3.get(scheme);
  const known = signatureSchemeOf(scheme);
  const key = keyFor(spki);
  if (curve === undefined || known === undefined || key === null) return false;
  if (curve !== ANY_KEY && key.asymmetricKeyDetails?.namedCurve !== curve) return false;
  try {
    return verifySignature(known, key, signed, signature);
  } catch {
    return false;
  }
}

const ANY_KEY = '';

/**
 * RFC 8446 §4.2.3, RFC 8734: what may sign a handshake, and the curve that ECDSA is tied to, as OpenSSL calls it.
 * PKCS #1 v1.5 and SHA-1 are for certificates only.
 */
const SCHEMES_OF_TLS_1_3: ReadonlyMap<number, string> = new Map([
  [0x0403, 'prime256v1'],
  [0x0503, 'secp384r1'],
  [0x0603, 'secp521r1'],
  [0x0804, ANY_KEY],
  [0x0805, ANY_KEY],
  [0x0806, ANY_KEY],
  [0x0807, ANY_KEY],
  [0x0808, ANY_KEY],
  [0x0809, ANY_KEY],
  [0x080a, ANY_KEY],
  [0x080b, ANY_KEY],
  [0x081a, 'brainpoolP256r1'],
  [0x081b, 'brainpoolP384r1'],
  [0x081c, 'brainpoolP512r1'],
]);
