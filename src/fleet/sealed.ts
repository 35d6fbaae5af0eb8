/**
 * Octets that only who has a key can make, change or read (AES-256-GCM), bound to what is said beside them in clear. Knows
 * nothing of what they are. They come from strangers: opening throws nothing.
 *
 *   nonce (12) | sealed octets | tag (16)
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

export function seal(octets: Uint8Array, key: Uint8Array, beside: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_OCTETS);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(beside);
  return Buffer.concat([nonce, cipher.update(octets), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined where it is not of that key, or goes with something else. */
export function unseal(octets: Uint8Array, key: Uint8Array, beside: Uint8Array): Buffer | undefined {
  if (octets.length < NONCE_OCTETS + TAG_OCTETS) return undefined;
  const nonce = octets.subarray(0, NONCE_OCTETS);
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_OCTETS });
  decipher.setAAD(beside).setAuthTag(octets.subarray(-TAG_OCTETS));
  try {
    return Buffer.concat([decipher.update(octets.subarray(NONCE_OCTETS, -TAG_OCTETS)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const NONCE_OCTETS = 12;
const TAG_OCTETS = 16;
