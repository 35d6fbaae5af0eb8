import { createHash, X509Certificate } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import fc from 'fast-check';
import { toHex } from '../../src/bytes/hex.ts';
import { presentCertificate, presentRawPublicKey } from '../../src/x509/presented.ts';
import { readSpki, spkiOf } from '../../src/x509/spki.ts';
import { certificate, certificates } from '../support/certificates.ts';

const names = readdirSync(new URL('../../fixtures/certs', import.meta.url))
  .filter((file) => file.endsWith('.pem'))
  .map((file) => file.slice(0, -4));

describe('presentCertificate', () => {
  it.each(names)('finds in %s the key that OpenSSL finds', (name) => {
    for (const der of certificates(name)) {
      const presented = presentCertificate(der);
      const reference = new X509Certificate(der);
      const spki = reference.publicKey.export({ type: 'spki', format: 'der' });
      expect(toHex(presented.spki!)).toBe(spki.toString('hex'));
      expect(presented.spkiSha256).toBe(createHash('sha256').update(spki).digest('hex'));
      expect(presented.sha1).toBe(reference.fingerprint.replaceAll(':', '').toLowerCase());
      expect(presented.sha256).toBe(reference.fingerprint256.replaceAll(':', '').toLowerCase());
    }
  });

  it('keeps its own copy of the bytes', () => {
    const der = certificate('leaf');
    const presented = presentCertificate(der);
    der.fill(0);
    expect(presented.der[0]).toBe(0x30);
    expect(presented.spki![0]).toBe(0x30);
  });

  it('hashes what is no certificate at all', () => {
    const presented = presentCertificate(new TextEncoder().encode('abc'));
    expect(presented).toMatchObject({
      sha1: 'a9993e364706816aba3e25717850c26c9cd0d89d',
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
      spki: null,
      spkiSha256: null,
      key: null,
    });
  });

  it('finds no key where octets follow the certificate', () => {
    expect(presentCertificate(new Uint8Array([...certificate('leaf'), 0])).spki).toBeNull();
  });

  it('finds no key in a certificate that is cut short, at any octet', () => {
    const der = certificate('leaf-p256');
    for (let length = 0; length < der.length; length++) expect(spkiOf(der.subarray(0, length))).toBeNull();
  });

  it('never throws, whatever octet is changed', () => {
    const der = certificate('leaf-p256');
    fc.assert(
      fc.property(fc.nat(der.length - 1), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const changed = new Uint8Array(der);
        changed[at] = value;
        const presented = presentCertificate(changed);
        expect(presented.sha256).toHaveLength(64);
      }),
    );
  });
});

describe('the concrete key', () => {
  it.each([
    ['leaf', /^rsa:3082010a0282010100[0-9a-f]+0203010001$/],
    ['leaf-p256', /^ec\(P-256\):04[0-9a-f]{128}$/],
    ['root-p384', /^ec\(P-384\):04[0-9a-f]{192}$/],
    ['leaf-p521', /^ec\(P-521\):04[0-9a-f]{264}$/],
    ['leaf-k256', /^ec\(secp256k1\):04[0-9a-f]{128}$/],
    ['leaf-bp256', /^ec\(brainpoolP256r1\):04[0-9a-f]{128}$/],
    ['leaf-dsa', /^dsa:02(8180|8181)[0-9a-f]+$/],
    ['leaf-ed25519', /^ed25519:[0-9a-f]{64}$/],
    ['root-pss', /^rsa-pss:3082010a0282010100[0-9a-f]+0203010001$/],
  ])('of %s is spelled as the BIT STRING holds it', (name, spelling) => {
    expect(presentCertificate(certificate(name)).key).toMatch(spelling);
  });

  it('has no spelling where the curve is given by its parameters (CVE-2020-0601)', () => {
    const presented = presentCertificate(certificate('leaf-explicit'));
    expect(presented.key).toBeNull();
    expect(presented.spkiSha256).not.toBeNull();
  });

  it('is found in a bare SubjectPublicKeyInfo', () => {
    const presented = presentCertificate(certificate('leaf-p256'));
    const raw = presentRawPublicKey(presented.spki!);
    expect(raw.key).toBe(presented.key);
    expect(raw.spkiSha256).toBe(presented.spkiSha256);
  });

  it('is not read where bits are left unused or octets follow', () => {
    const spki = presentCertificate(certificate('leaf-ed25519')).spki!;
    expect(readSpki(spki)).not.toBeNull();
    const unusedBits = new Uint8Array(spki);
    unusedBits[spki.length - 33] = 1;
    expect(readSpki(unusedBits)).toBeNull();
    expect(readSpki(new Uint8Array([...spki, 0]))).toBeNull();
  });
});
