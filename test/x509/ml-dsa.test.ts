import { randomBytes } from 'node:crypto';
import { ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { verifyCertificateVerify, verifyIdentity } from '../../src/x509/certificate-verify.ts';
import { element } from '../support/mint.ts';

const signed = randomBytes(130);
let clock = 0;
beforeEach(() => {
  clock += 5_000;
  vi.spyOn(performance, 'now').mockImplementation(() => clock);
});
afterEach(() => void vi.restoreAllMocks());

function proofOf(arc: number, scheme: number, { keygen, sign }: typeof ml_dsa44) {
  const { publicKey, secretKey } = keygen();
  const identifier = Buffer.from(`6086480165030403${arc}`, 'hex');
  const spki = element(0x30, element(0x30, element(0x06, identifier)), element(0x03, Buffer.of(0), publicKey));
  return { spki, scheme, signed, signature: sign(signed, secretKey) };
}

const SCHEMES = [
  ['ML-DSA-44', proofOf(11, 0x0904, ml_dsa44)],
  ['ML-DSA-65', proofOf(12, 0x0905, ml_dsa65)],
  ['ML-DSA-87', proofOf(13, 0x0906, ml_dsa87)],
] as const;

describe.each(SCHEMES)('%s', (_, proof) => {
  it('proves the key', () => {
    expect(verifyCertificateVerify(proof)).toBe(true);
    const shown = { ...proof, certificates: [proof.spki], isRawPublicKey: true, delegatedCredential: null };
    expect(verifyIdentity(shown, 0)).toBe(true);
  });

  it('proves nothing over other octets, changed, cut, or under another scheme', () => {
    const other = Uint8Array.from(signed);
    other[0]! ^= 1;
    const signature = Uint8Array.from(proof.signature);
    signature[5]! ^= 1;
    const spki = Uint8Array.from(proof.spki);
    spki[16]! ^= 7;
    for (const change of [
      { signed: other },
      { signature },
      { signature: proof.signature.subarray(1) },
      { spki },
      { spki: proof.spki.subarray(1) },
      { scheme: proof.scheme === 0x0904 ? 0x0905 : 0x0904 },
    ]) {
      expect(verifyCertificateVerify({ ...proof, ...change })).toBe(false);
    }
  });
});

it('so many are verified in a second, and no more: each of them takes its time', () => {
  const [, proof] = SCHEMES[0];
  const forged = { ...proof, signature: new Uint8Array(proof.signature.length) };
  for (let count = 0; count < 20; count++) expect(verifyCertificateVerify(forged)).toBe(false);
  expect(verifyCertificateVerify(proof)).toBe(false);
  clock += 1_000;
  expect(verifyCertificateVerify(proof)).toBe(true);
});
