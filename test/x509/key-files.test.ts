import { execFileSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { orderChain, readKeyFile } from '../../src/x509/key-files.ts';
import { spkiOf } from '../../src/x509/spki.ts';
import { certificate, fixturePath } from '../support/certificates.ts';

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const spki = new Uint8Array(publicKey.export({ type: 'spki', format: 'der' }));
const openssl = (args: readonly string[], input?: string | Buffer) =>
  execFileSync('openssl', args, { input, stdio: ['pipe', 'pipe', 'ignore'] });
const pkcs7 = (...args: string[]) =>
  openssl([
    'crl2pkcs7',
    '-nocrl',
    ...['root', 'inter', 'leaf'].flatMap((name) => ['-certfile', fixturePath(name)]),
    ...args,
  ]);
const chain = ['leaf', 'inter', 'root'].map((name) => ({ kind: 'certificate', der: certificate(name) }));
const pem = (label: string, der: Uint8Array) =>
  Buffer.from(`-----BEGIN ${label}-----\n${Buffer.from(der).toString('base64')}\n-----END ${label}-----\n`);

describe('public keys', () => {
  it.each([
    ['SubjectPublicKeyInfo in PEM', publicKey.export({ type: 'spki', format: 'pem' })],
    ['SubjectPublicKeyInfo in DER', spki],
    ['PKCS#1 in PEM', publicKey.export({ type: 'pkcs1', format: 'pem' })],
    ['PKCS#1 in DER', publicKey.export({ type: 'pkcs1', format: 'der' })],
  ])('as %s', (_, bytes) => {
    expect(readKeyFile(Buffer.from(bytes as string))).toEqual([{ kind: 'public-key', spki }]);
  });

  it('are not taken out of private ones', () => {
    for (const type of ['pkcs8', 'pkcs1'] as const) {
      const secret = privateKey.export({ type, format: 'pem' });
      expect(() => readKeyFile(Buffer.from(secret))).toThrow('openssl pkey -pubout');
    }
  });
});

describe('requests', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tlspin-keys-'));
  const file = join(folder, 'key.pem');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }));
  afterAll(() => rmSync(folder, { recursive: true }));
  const request = (...args: string[]) => openssl(['req', '-new', '-key', file, '-subj', '/O=Bank/CN=next', ...args]);
  const san = [
    '-addext',
    'keyUsage=digitalSignature',
    '-addext',
    'subjectAltName=DNS:a.example,IP:192.0.2.1,DNS:b.example',
  ];

  it('have a key, a subject and the names that are asked for, in PEM and DER', () => {
    const expected = { kind: 'request', spki, subject: 'O=Bank, CN=next', names: ['a.example', 'b.example'] };
    expect(readKeyFile(request(...san))).toEqual([expected]);
    expect(readKeyFile(request(...san, '-outform', 'DER'))).toEqual([expected]);
    expect(readKeyFile(request())).toEqual([{ ...expected, names: [] }]);
  });

  it('that are cut are refused', () => {
    const whole = request('-outform', 'DER');
    for (let end = 1; end < whole.length; end += 7) {
      expect(() => readKeyFile(pem('CERTIFICATE REQUEST', whole.subarray(0, end)))).toThrow('is damaged');
    }
  });
});

describe('certificates', () => {
  it('of a PKCS#7 set are put in order, in PEM, in DER and in BER of indefinite length', () => {
    expect(readKeyFile(pkcs7())).toEqual(chain);
    const der = pkcs7('-outform', 'DER');
    expect(readKeyFile(der)).toEqual(chain);
    // The outermost SEQUENCE alone, with 0x80 for its length and an end of its contents.
    const header = 2 + (der[1]! & 0x7f);
    const indefinite = Buffer.concat([Buffer.from([0x30, 0x80]), der.subarray(header), Buffer.from([0, 0])]);
    expect(readKeyFile(indefinite)).toEqual(chain);
  });

  it('stay in the order of their file, in PEM or one behind the other in DER', () => {
    const mixed = ['root', 'leaf', 'inter'];
    const expected = mixed.map((name) => ({ kind: 'certificate', der: certificate(name) }));
    expect(readKeyFile(Buffer.concat(mixed.map((name) => readFileSync(fixturePath(name)))))).toEqual(expected);
    expect(readKeyFile(Buffer.concat(mixed.map(certificate)))).toEqual(expected);
  });

  it('may stand among requests, keys, parameters and what OpenSSL trusts them for', () => {
    const trusted = openssl(['x509', '-in', fixturePath('leaf'), '-trustout', '-addtrust', 'serverAuth']);
    const file = Buffer.concat([
      pem('EC PARAMETERS', Buffer.from('06082a8648ce3d030107', 'hex')),
      trusted,
      pem('PUBLIC KEY', spki),
    ]);
    expect(readKeyFile(file)).toEqual([chain[0], { kind: 'public-key', spki }]);
  });

  it('that a strict walk does not read are certificates all the same', () => {
    const odd = Buffer.from([0x30, 0x80, 1, 1, 0, 0, 0]);
    expect(readKeyFile(odd)).toEqual([{ kind: 'certificate', der: new Uint8Array(odd) }]);
  });

  it('are none of other files', () => {
    for (const bytes of ['', 'hello', '-----BEGIN X-----\nAA==\n-----END X-----\n']) {
      expect(() => readKeyFile(Buffer.from(bytes))).toThrow('holds no certificate');
    }
  });
});

it('a chain begins with what issued none of the others', () => {
  const names = ['root', 'inter', 'leaf', 'other'];
  const [first, second, third, ...rest] = orderChain(names.map(certificate));
  expect([first, second, third]).toEqual(chain.map(({ der }) => der));
  expect(rest).toEqual([certificate('other')]);
  expect(createPublicKey({ key: Buffer.from(spkiOf(first!)!), format: 'der', type: 'spki' })).toBeDefined();
});
