/** Public keys that signatures may be checked with. Knows OpenSSL's keys; no certificates and no libraries. */
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
  const { modulusLength, publicExponent } = key.asymmetricKeyDetails ?? {};
  if (modulusLength === undefined) return true;
  return modulusLength >= 1024 && modulusLength <= 16_384 && (publicExponent ?? 0n) < 1n << 64n;
}

/** 16,384 bits of RSA, with room for the frame. */
const MAX_SPKI_OCTETS = 2_400;
