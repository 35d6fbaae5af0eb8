import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ShownIdentity, verifyIdentity } from '../../src/x509/certificate-verify.ts';
import { der } from '../support/tls-bytes.ts';

const directory = mkdtempSync(join(tmpdir(), 'tlspin-delegated-'));
const delegated = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const spki = delegated.publicKey.export({ type: 'spki', format: 'der' });
const DAY = 86_400;
let leaf: Issued;
let ordinary: Issued;
let encipherer: Issued;

interface Issued {
  readonly der: Buffer;
  readonly key: KeyObject;
}

function issue(name: string, ...extensions: string[]): Issued {
  const [cert, key] = [join(directory, `${name}.pem`), join(directory, `${name}.key`)];
  const keys = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key];
  const added = extensions.flatMap((each) => ['-addext', each]);
  execFileSync('openssl', ['req', '-x509', ...keys, '-out', cert, '-subj', `/CN=${name}`, '-days', '90', ...added], {
    stdio: 'pipe',
  });
  return { der: der(cert), key: createPrivateKey(readFileSync(key)) };
}

beforeAll(() => {
  const usage = '1.3.6.1.4.1.44363.44=ASN1:NULL';
  leaf = issue('leaf', usage, 'keyUsage=critical,digitalSignature');
  ordinary = issue('ordinary', 'keyUsage=critical,digitalSignature');
  encipherer = issue('encipherer', usage, 'keyUsage=critical,keyEncipherment');
});

afterAll(() => rmSync(directory, { recursive: true }));

interface CredentialOptions {
  /** Whose key may do what. */
  readonly by?: Issued;
  /** The certificate that is signed with it. */
  readonly over?: Issued;
  /** Seconds from the leaf's notBefore, which is now. */
  readonly validTime?: number;
  readonly scheme?: number;
  readonly signs?: KeyObject;
}

/** RFC 9345 §4. */
function credential(options: CredentialOptions = {}): Buffer {
  const { by = leaf, over = by, validTime = DAY, scheme = 0x0403, signs = by.key } = options;
  const u16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
  const time = Buffer.alloc(4);
  time.writeUInt32BE(validTime);
  const key = Buffer.concat([Buffer.from([0]), u16(spki.length), spki]);
  const cred = Buffer.concat([time, u16(scheme), key, u16(0x0403)]);
  const context = Buffer.from(`${' '.repeat(64)}TLS, server delegated credentials\0`, 'latin1');
  const signature = sign('sha256', Buffer.concat([context, over.der, cred]), signs);
  return Buffer.concat([cred, u16(signature.length), signature]);
}

function shown(delegatedCredential: Buffer | null, { by = leaf, key = delegated.privateKey, scheme = 0x0403 } = {}) {
  const signed = randomBytes(130);
  const signature = sign('sha256', signed, key);
  const identity = { certificates: [by.der], isRawPublicKey: false, delegatedCredential, scheme, signed, signature };
  return identity satisfies ShownIdentity;
}

const isProven = (identity: ShownIdentity, inSeconds = 0) => verifyIdentity(identity, Date.now() + inSeconds * 1000);

describe('a delegated credential', () => {
  it('signs in the place of its leaf', () => {
    expect(isProven(shown(credential()))).toBe(true);
  });

  it('leaves the leaf no place to sign itself', () => {
    expect(isProven(shown(credential(), { key: leaf.key }))).toBe(false);
    expect(isProven(shown(null, { key: leaf.key }))).toBe(true);
    expect(isProven(shown(null))).toBe(false);
  });

  it('counts until it expires', () => {
    expect(isProven(shown(credential()), DAY - 60)).toBe(true);
    expect(isProven(shown(credential()), DAY + 60)).toBe(false);
  });

  it.each<[string, () => ShownIdentity]>([
    ['it would count for more than a week', () => shown(credential({ validTime: 9 * DAY }))],
    ['its leaf may not delegate', () => shown(credential({ by: ordinary }), { by: ordinary })],
    ['its leaf may not sign', () => shown(credential({ by: encipherer }), { by: encipherer })],
    ['it was signed with another key', () => shown(credential({ signs: ordinary.key }))],
    ['it was given by another certificate', () => shown(credential({ over: ordinary, signs: leaf.key }))],
    ['its key signs with another scheme', () => shown(credential({ scheme: 0x0503 }))],
    ['it is cut', () => shown(credential().subarray(0, -1))],
    ['it goes on', () => shown(Buffer.concat([credential(), Buffer.alloc(1)]))],
    ['it is empty', () => shown(Buffer.alloc(0))],
  ])('proves nothing where %s', (_, make) => expect(isProven(make())).toBe(false));
});

it('no certificate is no identity', () => {
  expect(isProven({ ...shown(null), certificates: [] })).toBe(false);
});
