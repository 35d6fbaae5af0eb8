import { constants, randomBytes, sign } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyCertificateVerify } from '../../src/x509/certificate-verify.ts';
import { type KeyName, KEYS, spkiOf } from '../support/keys.ts';

const signed = randomBytes(130);
const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };

function make(name: KeyName, scheme: number, digest: string | null, options: object = {}) {
  const key = KEYS[name].privateKey;
  return { spki: spkiOf(name), scheme, signed, signature: sign(digest, signed, { key, ...options }) };
}

const GOOD: [string, ReturnType<typeof make>][] = [
  ['ecdsa_secp256r1_sha256', make('p256', 0x0403, 'sha256')],
  ['ecdsa_secp384r1_sha384', make('p384', 0x0503, 'sha384')],
  ['ecdsa_secp521r1_sha512', make('p521', 0x0603, 'sha512')],
  ['ecdsa_brainpoolP256r1tls13_sha256', make('brainpool', 0x081a, 'sha256')],
  ['rsa_pss_rsae_sha256', make('rsa', 0x0804, 'sha256', pss)],
  ['rsa_pss_rsae_sha384', make('rsa', 0x0805, 'sha384', pss)],
  ['rsa_pss_rsae_sha512', make('rsa', 0x0806, 'sha512', pss)],
  ['rsa_pss_pss_sha256', make('rsa-pss', 0x0809, 'sha256', pss)],
  ['ed25519', make('ed25519', 0x0807, null)],
  ['ed448', make('ed448', 0x0808, null)],
];

describe('proves the key', () => {
  it.each(GOOD)('%s', (_, proof) => expect(verifyCertificateVerify(proof)).toBe(true));
});

describe('proves nothing', () => {
  it.each<[string, ReturnType<typeof make>]>([
    ['PKCS #1 v1.5, which is for certificates only', make('rsa', 0x0401, 'sha256')],
    ['SHA-1', make('p256', 0x0203, 'sha1')],
    ['SHA-256 on P-384, which TLS 1.2 allows', make('p384', 0x0403, 'sha256')],
    ['a curve that no scheme has', make('k256', 0x0403, 'sha256')],
    ['a brainpool curve under the scheme of P-256', make('brainpool', 0x0403, 'sha256')],
    ['an rsaEncryption key under a scheme for PSS keys', make('rsa', 0x0809, 'sha256', pss)],
    ['a PSS key under a scheme for rsaEncryption', make('rsa-pss', 0x0804, 'sha256', pss)],
    ['a salt of another length', make('rsa', 0x0804, 'sha256', { ...pss, saltLength: 20 })],
    ['an RSA signature under an ECDSA scheme', { ...make('rsa', 0x0804, 'sha256', pss), scheme: 0x0403 }],
    ['a scheme that nobody knows', { ...make('p256', 0x0403, 'sha256'), scheme: 0x1a1a }],
    ['a key that cannot be read', { ...make('p256', 0x0403, 'sha256'), spki: Buffer.from('3000', 'hex') }],
    ['an empty signature', { ...make('p256', 0x0403, 'sha256'), signature: Buffer.alloc(0) }],
  ])('%s', (_, proof) => expect(verifyCertificateVerify(proof)).toBe(false));

  it.each(GOOD)('%s over other octets, or changed', (_, proof) => {
    const changed = Uint8Array.from(signed);
    changed[100]! ^= 1;
    expect(verifyCertificateVerify({ ...proof, signed: changed })).toBe(false);
    const signature = Uint8Array.from(proof.signature);
    signature[signature.length >> 1]! ^= 1;
    expect(verifyCertificateVerify({ ...proof, signature })).toBe(false);
  });

  it('whatever it is given, it does not throw', () => {
    const bytes = fc.uint8Array({ maxLength: 80 });
    const scheme = fc.constantFrom(0x0403, 0x0804, 0x0807, 0x0401);
    fc.assert(
      fc.property(bytes, scheme, bytes, (spki, number, signature) => {
        const [good] = GOOD[0]!.slice(1) as [ReturnType<typeof make>];
        expect(verifyCertificateVerify({ spki, scheme: number, signed, signature })).toBe(false);
        expect(verifyCertificateVerify({ ...good, scheme: number, signature })).toBe(false);
      }),
    );
  });
});
