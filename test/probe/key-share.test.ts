import { ml_kem1024, ml_kem512, ml_kem768 } from '@noble/post-quantum/ml-kem.js';
import { describe, expect, it } from 'vitest';

import { finiteField } from '../../src/probe/finite-field.ts';
import { createKeyShare, GROUP } from '../../src/probe/key-share.ts';

const { x25519, secp256r1, secp384r1 } = GROUP;
/** Octets of the client's share and of the server's. */
const ML_KEM = [
  [GROUP.mlkem512, ml_kem512],
  [GROUP.mlkem768, ml_kem768],
  [GROUP.mlkem1024, ml_kem1024],
] as const;
const HYBRIDS = [
  ['X25519MLKEM768', GROUP.x25519Mlkem768, ml_kem768, x25519, 'behind'],
  ['SecP256r1MLKEM768', GROUP.secp256r1Mlkem768, ml_kem768, secp256r1, 'ahead'],
  ['SecP384r1MLKEM1024', GROUP.secp384r1Mlkem1024, ml_kem1024, secp384r1, 'ahead'],
] as const;

describe('a share', () => {
  it('exists for what is on the list of groups, and for nothing else', () => {
    const missing = Object.values(GROUP).filter((group) => createKeyShare(group) === undefined);
    const brainpool = [GROUP.brainpoolP256r1, GROUP.brainpoolP384r1, GROUP.brainpoolP512r1];
    expect(brainpool).toEqual(expect.arrayContaining(missing));
    expect(createKeyShare(0x3a3a)).toBeUndefined();
  });

  it.each([
    ['X25519', x25519, 32],
    ['X448', GROUP.x448, 56],
    ['P-256', secp256r1, 65],
    ['P-384', secp384r1, 97],
    ['P-521', GROUP.secp521r1, 133],
    ['ffdhe2048', GROUP.ffdhe2048, 256],
    ['ffdhe3072', GROUP.ffdhe3072, 384],
    ['ffdhe4096', GROUP.ffdhe4096, 512],
  ])('of %s makes one secret with another', (_, group, octets) => {
    const [one, other] = [createKeyShare(group)!, createKeyShare(group)!];
    expect(one.keyExchange).toHaveLength(octets);
    expect(one.agree(other.keyExchange)).toEqual(other.agree(one.keyExchange));
    expect(one.keyExchange).not.toEqual(other.keyExchange);
  });

  it.each(ML_KEM)('of ML-KEM (group %i) opens what was encapsulated for it', (group, kem) => {
    const own = createKeyShare(group)!;
    const { cipherText, sharedSecret } = kem.encapsulate(Uint8Array.from(own.keyExchange));
    expect(Buffer.from(own.agree(cipherText)!)).toEqual(Buffer.from(sharedSecret));
  });

  it.each(HYBRIDS)('of %s is two, one behind the other, and so is the secret', (_, group, kem, curve, where) => {
    const own = createKeyShare(group)!;
    const server = createKeyShare(curve)!;
    const { publicKey: keyOctets } = kem.lengths;
    const isAhead = where === 'ahead';
    const at = isAhead ? own.keyExchange.length - keyOctets! : 0;
    const key = own.keyExchange.subarray(at, at + keyOctets!);
    const point = isAhead ? own.keyExchange.subarray(0, at) : own.keyExchange.subarray(keyOctets);
    const { cipherText, sharedSecret } = kem.encapsulate(Uint8Array.from(key));
    const both = [server.keyExchange, cipherText];
    const secrets = [server.agree(point)!, sharedSecret];
    const inOrder = (parts: Uint8Array[]) => Buffer.concat(isAhead ? parts : parts.reverse());
    expect(Buffer.from(own.agree(inOrder(both))!)).toEqual(inOrder(secrets));
  });

  it.each(Object.entries(GROUP))('of %s makes no secret with what is none', (_, group) => {
    const own = createKeyShare(group);
    if (own === undefined) return;
    const { length } = own.keyExchange;
    for (const size of [0, 1, length - 1, length + 1]) expect(own.agree(Buffer.alloc(size, 4))).toBeUndefined();
    // Of whatever is as long as a ciphertext of ML-KEM there is a secret, which nobody else has.
    if (group !== GROUP.mlkem1024) expect(own.agree(Buffer.alloc(length))).toBeUndefined();
  });
});

it.each([
  [256, '886b423861285c97ffffffffffffffff'],
  [384, '25e41d2b66c62e37ffffffffffffffff'],
  [512, 'c68a007e5e655f6affffffffffffffff'],
] as const)('the prime of %d octets is that of RFC 7919', (octets, end) => {
  const prime = finiteField(octets).getPrime('hex');
  expect(prime).toMatch(/^ffffffffffffffffadf85458a2bb4a9aafdc5620273d3cf1/);
  expect(prime.slice(-end.length)).toBe(end);
  expect([prime.length, finiteField(octets).verifyError]).toEqual([2 * octets, 0]);
});
