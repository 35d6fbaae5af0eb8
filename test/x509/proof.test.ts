import { constants, createHash, generateKeyPairSync, privateEncrypt, randomBytes, sign } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { verifyServerKeyExchange } from '../../src/x509/proof.ts';
import { publicKeyOf } from '../../src/x509/public-key.ts';
import type { SignedKeyExchange } from '../../src/x509/proof.ts';
import { type KeyName, KEYS, spkiOf } from '../support/keys.ts';

const signed = randomBytes(64 + 70);

const pkcs1 = (digest: string) => (key: KeyObject) =>
  sign(digest, signed, { key, padding: constants.RSA_PKCS1_PADDING });
const pss = (digest: string, saltLength: number) => (key: KeyObject) =>
  sign(digest, signed, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength });
const plain = (digest: string | null) => (key: KeyObject) => sign(digest, signed, key);
const md5sha1 = (key: KeyObject) => {
  const digest = (name: string) => createHash(name).update(signed).digest();
  return privateEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, Buffer.concat([digest('md5'), digest('sha1')]));
};

function exchange(
  name: KeyName,
  version: number,
  scheme: number,
  authentication: string,
  make: (key: KeyObject) => Buffer,
): SignedKeyExchange {
  return { spki: spkiOf(name), version, scheme, authentication, signed, signature: make(KEYS[name].privateKey) };
}

const PROOFS: [string, SignedKeyExchange][] = [
  ['rsa_pkcs1_sha1', exchange('rsa', 0x0303, 0x0201, 'rsa', pkcs1('sha1'))],
  ['rsa_pkcs1_sha256', exchange('rsa', 0x0303, 0x0401, 'rsa', pkcs1('sha256'))],
  ['rsa_pkcs1_sha384', exchange('rsa', 0x0303, 0x0501, 'rsa', pkcs1('sha384'))],
  ['rsa_pkcs1_sha512', exchange('rsa', 0x0303, 0x0601, 'rsa', pkcs1('sha512'))],
  ['rsa_pss_rsae_sha256', exchange('rsa', 0x0303, 0x0804, 'rsa', pss('sha256', 32))],
  ['rsa_pss_rsae_sha512', exchange('rsa', 0x0303, 0x0806, 'rsa', pss('sha512', 64))],
  ['rsa_pss_pss_sha256', exchange('rsa-pss', 0x0303, 0x0809, 'rsa', pss('sha256', 32))],
  ['ecdsa_secp256r1_sha256', exchange('p256', 0x0303, 0x0403, 'ecdsa', plain('sha256'))],
  ['ecdsa_secp384r1_sha384', exchange('p384', 0x0303, 0x0503, 'ecdsa', plain('sha384'))],
  ['ecdsa_secp521r1_sha512', exchange('p521', 0x0303, 0x0603, 'ecdsa', plain('sha512'))],
  ['ECDSA with SHA-256 on P-384, as TLS 1.2 allows', exchange('p384', 0x0303, 0x0403, 'ecdsa', plain('sha256'))],
  ['ECDSA on secp256k1', exchange('k256', 0x0303, 0x0403, 'ecdsa', plain('sha256'))],
  ['ecdsa_sha1', exchange('p256', 0x0303, 0x0203, 'ecdsa', plain('sha1'))],
  ['ed25519', exchange('ed25519', 0x0303, 0x0807, 'ecdsa', plain(null))],
  ['ed448', exchange('ed448', 0x0303, 0x0808, 'ecdsa', plain(null))],
  ['dsa_sha256', exchange('dsa', 0x0303, 0x0402, 'dss', plain('sha256'))],
  ['RSA with MD5 and SHA-1 in TLS 1.1', exchange('rsa', 0x0302, 0, 'rsa', md5sha1)],
  ['RSA with MD5 and SHA-1 in TLS 1.0', exchange('rsa', 0x0301, 0, 'rsa', md5sha1)],
  ['ECDSA with SHA-1 in TLS 1.0', exchange('p256', 0x0301, 0, 'ecdsa', plain('sha1'))],
  ['DSA with SHA-1 in SSL 3.0', exchange('dsa', 0x0300, 0, 'dss', plain('sha1'))],
];

describe('verifyServerKeyExchange', () => {
  it.each(PROOFS)('accepts %s', (_name, input) => {
    expect(verifyServerKeyExchange(input)).toBe(true);
  });

  it.each(PROOFS)('of %s refuses other parameters, another signature and another key', (_name, input) => {
    const flip = (bytes: Uint8Array, at: number) => {
      const changed = new Uint8Array(bytes);
      changed[at]! ^= 1;
      return changed;
    };
    for (const at of [0, 32, 64, signed.length - 1]) {
      expect(verifyServerKeyExchange({ ...input, signed: flip(input.signed, at) })).toBe(false);
    }
    expect(verifyServerKeyExchange({ ...input, signature: flip(input.signature, input.signature.length - 1) })).toBe(
      false,
    );
    // Cut at its end: OpenSSL takes an RSA signature without its leading zeros for the same number.
    expect(verifyServerKeyExchange({ ...input, signature: input.signature.subarray(0, -1) })).toBe(false);
    expect(verifyServerKeyExchange({ ...input, signature: new Uint8Array() })).toBe(false);
    const other = input.authentication === 'rsa' ? 'p256' : 'rsa';
    expect(verifyServerKeyExchange({ ...input, spki: spkiOf(other) })).toBe(false);
    const another = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
      type: 'spki',
      format: 'der',
    });
    expect(verifyServerKeyExchange({ ...input, spki: another })).toBe(false);
  });

  it.each([
    ['a scheme that is not assigned', { scheme: 0x7777 }],
    ['no scheme in TLS 1.2', { scheme: 0 }],
    ['a scheme of another cipher suite', { authentication: 'ecdsa' }],
    ['a suite without authentication', { authentication: 'anonymous' }],
    ['a suite with a pre-shared key', { authentication: 'psk' }],
    ['the scheme of another digest', { scheme: 0x0501 }],
    ['the scheme of another padding', { scheme: 0x0804 }],
    ['a version without schemes', { version: 0x0302 }],
    ['a key that is none', { spki: new Uint8Array([0x30, 0x00]) }],
    ['no key', { spki: new Uint8Array() }],
  ])('refuses %s', (_what, change) => {
    const input = exchange('rsa', 0x0303, 0x0401, 'rsa', pkcs1('sha256'));
    expect(verifyServerKeyExchange({ ...input, ...change })).toBe(false);
  });

  it('refuses the scheme of a key of the other RSA kind', () => {
    expect(verifyServerKeyExchange(exchange('rsa-pss', 0x0303, 0x0804, 'rsa', pss('sha256', 32)))).toBe(false);
    expect(verifyServerKeyExchange(exchange('rsa', 0x0303, 0x0809, 'rsa', pss('sha256', 32)))).toBe(false);
  });

  it('refuses MD5 in TLS 1.2', () => {
    expect(verifyServerKeyExchange(exchange('rsa', 0x0303, 0x0101, 'rsa', pkcs1('md5')))).toBe(false);
  });

  it('refuses a DigestInfo where TLS 1.1 has none', () => {
    expect(verifyServerKeyExchange(exchange('rsa', 0x0302, 0, 'rsa', pkcs1('sha1')))).toBe(false);
  });

  it('uses no RSA key of a size or an exponent that nobody has', () => {
    const ofBits = (bits: number, exponent = '010001') => {
      const modulus = Buffer.concat([Buffer.from([0]), randomBytes(bits / 8)]);
      modulus[1]! |= 0x80;
      return publicKeyOf(rsaSpki(modulus, Buffer.from(exponent, 'hex')));
    };
    for (const bits of [1024, 2048, 4096, 8192]) expect(ofBits(bits)).not.toBeNull();
    for (const bits of [512, 8200, 16_384, 32_768, 131_072]) expect(ofBits(bits)).toBeNull();
    for (const exponent of ['03', '0100000001', '01ffffffff']) expect(ofBits(2048, exponent)).not.toBeNull();
    for (const exponent of ['0200000001', '00ffffffffffffffff', `01${'00'.repeat(31)}01`]) {
      expect(ofBits(2048, exponent)).toBeNull();
    }
  });

  it('nor of DSA, nor on a curve that the key spells out', () => {
    const dsa = (modulusLength: number) => publicKeyOf(dsaSpki(modulusLength / 8));
    expect([dsa(2048), dsa(4096)]).not.toContain(null);
    expect([dsa(512), dsa(4104), dsa(9984)]).toEqual([null, null, null]);
    const named = spkiOf('p256');
    expect(publicKeyOf(named)).not.toBeNull();
    expect(publicKeyOf(explicitP256(named))).toBeNull();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 80 }),
        fc.constantFrom(0x0300, 0x0301, 0x0303, 0x0304),
        fc.constantFrom(0, 0x0401, 0x0804, 0x0403, 0x0807),
        fc.constantFrom('rsa', 'ecdsa', 'dss'),
        fc.constantFrom<KeyName>('rsa', 'p256', 'ed25519', 'dsa'),
        (signature, version, scheme, authentication, name) => {
          const input = { spki: spkiOf(name), version, scheme, authentication, signed, signature };
          expect(verifyServerKeyExchange(input)).toBe(false);
        },
      ),
    );
  });
});

function element(tag: number, ...parts: Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.length);
  const octets = content.length < 0x100 ? 1 : content.length < 0x10000 ? 2 : 3;
  const header = content.length < 0x80 ? [tag, content.length] : [tag, 0x80 | octets, ...length.subarray(4 - octets)];
  return Buffer.concat([Buffer.from(header), content]);
}

const integer = (octets: Buffer) => element(0x02, octets[0]! < 0x80 ? octets : Buffer.concat([Buffer.of(0), octets]));

/** RFC 3279 §2.3.2, with numbers that are no key. */
function dsaSpki(octets: number): Buffer {
  const number = (first: number, length: number) => {
    const made = randomBytes(length);
    made[0] = first;
    made[length - 1]! |= 1;
    return integer(made);
  };
  const parameters = element(0x30, number(0x80, octets), number(0x80, 32), number(0x40, octets));
  const algorithm = element(0x30, Buffer.from('06072a8648ce380401', 'hex'), parameters);
  return element(0x30, algorithm, element(0x03, Buffer.of(0), number(0x41, octets)));
}

/** RFC 3279 §2.3.5: ECParameters in the place of the curve's name, with a generator of one's own (CVE-2020-0601). */
function explicitP256(spki: Buffer): Buffer {
  const p = Buffer.from('ffffffff00000001000000000000000000000000ffffffffffffffffffffffff', 'hex');
  const a = Buffer.from('ffffffff00000001000000000000000000000000fffffffffffffffffffffffc', 'hex');
  const b = Buffer.from('5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b', 'hex');
  const point = spki.subarray(-65);
  const order = Buffer.from('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551', 'hex');
  const field = element(0x30, Buffer.from('06072a8648ce3d0101', 'hex'), integer(p));
  const curve = element(0x30, element(0x04, a), element(0x04, b));
  const parameters = [Buffer.from('020101', 'hex'), field, curve, element(0x04, point), integer(order)];
  const algorithm = element(0x30, Buffer.from('06072a8648ce3d0201', 'hex'), element(0x30, ...parameters));
  return element(0x30, algorithm, element(0x03, Buffer.of(0), point));
}

function rsaSpki(modulus: Buffer, exponent: Buffer): Buffer {
  const key = element(0x30, Buffer.concat([element(0x02, modulus), element(0x02, exponent)]));
  const algorithm = Buffer.from('300d06092a864886f70d0101010500', 'hex');
  return element(0x30, Buffer.concat([algorithm, element(0x03, Buffer.concat([Buffer.from([0]), key]))]));
}
