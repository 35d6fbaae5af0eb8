/**
 * A certificate as a server presented it: hashes of the bytes as sent, taken before anything is parsed, and the public
 * key where a strict walk finds one. Knows X.509's outline and no pins.
 */
import { sha1Hex, sha256Hex } from './fingerprint.ts';
import { keyOf, spkiOf } from './spki.ts';

export interface PresentedCertificate {
  /** The bytes as sent (a copy that may be kept). */
  readonly der: Uint8Array;
  /** Lower-case hex of the digests of `der`. */
  readonly sha1: string;
  readonly sha256: string;
  /** The SubjectPublicKeyInfo element; null when a strict walk does not find it: SPKI and key pins cannot match then. */
  readonly spki: Uint8Array | null;
  /** Lower-case hex of SHA-256 of `spki`. */
  readonly spkiSha256: string | null;
  /** The concrete key as key pins are compared, such as `rsa:<hex>` and `ec(P-256):<hex>`; null when unknown. */
  readonly key: string | null;
}

/** Copies `der`: the caller's bytes may go. Never throws, whatever the bytes are. */
export function presentCertificate(der: Uint8Array): PresentedCertificate {
  const copy = new Uint8Array(der);
  const sha1 = sha1Hex(copy);
  const sha256 = sha256Hex(copy);
  const spki = spkiOf(copy);
  if (spki === null) return { der: copy, sha1, sha256, spki: null, spkiSha256: null, key: null };
  return { der: copy, sha1, sha256, spki, spkiSha256: sha256Hex(spki), key: keyOf(spki) };
}

/** A public key that came without a certificate (RFC 7250): only SPKI and key pins can match it. */
export function presentRawPublicKey(spki: Uint8Array): PresentedCertificate {
  const copy = new Uint8Array(spki);
  return {
    der: copy,
    sha1: '',
    sha256: '',
    spki: copy,
    spkiSha256: sha256Hex(copy),
    key: keyOf(copy),
  };
}
