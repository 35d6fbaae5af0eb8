/**
 * A certificate as a server presented it: hashes of the bytes as sent, taken before anything is parsed, and the public
 * key where a strict walk finds one. Knows X.509's outline and no pins.
 */
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
  /** `rsa:<hex of modulus>`-like spelling of the concrete key, as key pins are compared; null when unknown. */
  readonly key: string | null;
}
