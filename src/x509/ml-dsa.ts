/**
 * Signatures of ML-DSA (FIPS 204; RFC 9881 for keys, draft-ietf-tls-mldsa for TLS 1.3), which OpenSSL has from 3.5 on and
 * the oldest Node here has not. Verifying one takes milliseconds, so only so many are verified in a second; what comes
 * beyond proves nothing. Knows no certificates and no transcripts.
 */
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';

/** Whether it is of this scheme and fits the key. Never throws. */
export function verifyMlDsa(scheme: number, spki: Uint8Array, signed: Uint8Array, signature: Uint8Array): boolean {
  const known = SCHEMES.get(scheme);
  if (known === undefined || !isOfKind(spki, known) || signature.length !== known.signatureOctets) return false;
  if (!isAffordable(performance.now())) return false;
  try {
    return known.verify(signature, signed, spki.subarray(-known.keyOctets));
  } catch {
    return false;
  }
}

export function isMlDsa(scheme: number): boolean {
  return SCHEMES.has(scheme);
}

interface MlDsa {
  /** Of its object identifier, the last octet. */
  readonly arc: number;
  readonly keyOctets: number;
  readonly signatureOctets: number;
  readonly verify: (signature: Uint8Array, message: Uint8Array, publicKey: Uint8Array) => boolean;
}

/** SEQUENCE { SEQUENCE { OBJECT IDENTIFIER 2.16.840.1.101.3.4.3.arc }, BIT STRING }, in the one way that DER has. */
function isOfKind(spki: Uint8Array, { arc, keyOctets }: MlDsa): boolean {
  const [whole, bits] = [18 + keyOctets, 1 + keyOctets];
  const head = [0x30, 0x82, whole >> 8, whole & 0xff, ...ALGORITHM, arc, 0x03, 0x82, bits >> 8, bits & 0xff, 0];
  return spki.length === head.length + keyOctets && head.every((octet, index) => spki[index] === octet);
}

function isAffordable(nowMs: number): boolean {
  if (nowMs >= second + 1000) [second, verified] = [nowMs, 0];
  return verified++ < MOST_A_SECOND;
}

/** When the second began that `verified` counts in, in milliseconds. */
let second = -Infinity;
let verified = 0;

const MOST_A_SECOND = 20;
const ALGORITHM = [0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03] as const;
const SCHEMES: ReadonlyMap<number, MlDsa> = new Map([
  [0x0904, { arc: 0x11, keyOctets: 1312, signatureOctets: 2420, verify: ml_dsa44.verify }],
  [0x0905, { arc: 0x12, keyOctets: 1952, signatureOctets: 3309, verify: ml_dsa65.verify }],
  [0x0906, { arc: 0x13, keyOctets: 2592, signatureOctets: 4627, verify: ml_dsa87.verify }],
]);
