/**
 * Public keys that signatures may be checked with: of sizes that people use, because whoever sends a key chooses what it
 * costs to use it. Knows OpenSSL's keys; no certificates and no libraries.
 */
import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** Null for what OpenSSL cannot read, and for sizes that would take too long. Never throws. */
export function publicKeyOf(spki: Uint8Array): KeyObject | null {
  if (spki.length > MAX_SPKI_OCTETS) return null;
  try {
    const key = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return isReasonable(key) ? key : null;
  } catch {
    return null;
  }
}

function isReasonable(key: KeyObject): boolean {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = key.asymmetricKeyDetails ?? {};
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss':
      return modulusLength >= 1024 && modulusLength <= MAX_RSA_BITS && publicExponent < 1n << MAX_EXPONENT_BITS;
    case 'dsa':
      return modulusLength >= 1024 && modulusLength <= MAX_DSA_BITS;
    case 'ec':
      // RFC 5480 §2.1.1: a curve that is spelled out is anybody's.
      return namedCurve !== undefined && namedCurve !== UNNAMED;
    default:
      return true;
  }
}

const MAX_RSA_BITS = 8_192;
/** As browsers have it: 65537 is what everybody takes, and 2^32 + 1 the largest that anybody was seen with. */
const MAX_EXPONENT_BITS = 33n;
/** What OpenSSL calls it. */
const UNNAMED = 'UNDEF';
const MAX_DSA_BITS = 4_096;
/** 4,096 bits of DSA, which come four times, with room for the frame; 8,192 bits of RSA take less. */
const MAX_SPKI_OCTETS = 1_800;
