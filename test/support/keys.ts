/** A pair of keys of each kind that certificates have. */
import { generateKeyPairSync } from 'node:crypto';

export const KEYS = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  'rsa-pss': generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
  dsa: generateKeyPairSync('dsa', { modulusLength: 1024, divisorLength: 160 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  p521: generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  k256: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  brainpool: generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }),
  ed25519: generateKeyPairSync('ed25519'),
  ed448: generateKeyPairSync('ed448'),
};
export type KeyName = keyof typeof KEYS;

/** SubjectPublicKeyInfo in DER. */
export function spkiOf(name: KeyName): Buffer {
  return KEYS[name].publicKey.export({ type: 'spki', format: 'der' });
}
