import { generateKeyPairSync } from 'node:crypto';

import { describe, expect, it } from 'vitest';
import { parsePin } from '../../../src/pins/document/pin-string.ts';
import type { ParsedPin } from '../../../src/pins/document/pin-string.ts';
import { PIN_SPELLINGS } from '../../../src/pins/document/spellings.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';
import { spkiOf } from '../../../src/x509/spki.ts';
import { certificate } from '../../support/certificates.ts';

const HEX32 = '00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff';
const BASE64 = Buffer.from(HEX32, 'hex').toString('base64');
const HEX20 = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
const COLONS = HEX20.toUpperCase().replace(/..(?=.)/g, '$&:');

const present = (name: string) => presentCertificate(certificate(name));
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

function parsed(text: string): ParsedPin {
  const result = parsePin(text);
  if (!('pin' in result)) throw new Error(JSON.stringify(result));
  return result.pin;
}

describe('digests', () => {
  it.each([
    [`cert-sha1:${HEX20}`, 'cert-sha1', HEX20],
    [HEX20, 'cert-sha1', HEX20],
    [COLONS, 'cert-sha1', HEX20],
    [`SHA1 Fingerprint=${COLONS}`, 'cert-sha1', HEX20],
    [`sha1 Fingerprint=${COLONS}`, 'cert-sha1', HEX20],
    [`cert-sha256:${HEX32}`, 'cert-sha256', HEX32],
    [`cert-sha256: ${HEX32.toUpperCase().replace(/..(?=.)/g, '$& ')}`, 'cert-sha256', HEX32],
    [`sha256 Fingerprint=${HEX32.replace(/..(?=.)/g, '$&:')}`, 'cert-sha256', HEX32],
    [`SHA256 Fingerprint=${HEX32}`, 'cert-sha256', HEX32],
    [`spki-sha256:${BASE64}`, 'spki-sha256', HEX32],
    [`spki-sha256:${HEX32}`, 'spki-sha256', HEX32],
    [`sha256//${BASE64}`, 'spki-sha256', HEX32],
    [`sha256/${BASE64}`, 'spki-sha256', HEX32],
    [`pin-sha256="${BASE64}"`, 'spki-sha256', HEX32],
    [`tlsa:3 1 1 ${HEX32}`, 'spki-sha256', HEX32],
    [`tlsa:2 0 1 ${HEX32}`, 'cert-sha256', HEX32],
    [`tlsa:3 0 2 ${HEX32}${HEX32}`, 'cert-sha512', HEX32 + HEX32],
    [`tlsa:3 1 2 ${HEX32}${HEX32}`, 'spki-sha512', HEX32 + HEX32],
  ])('%s', (text, kind, key) => {
    expect(parsed(text)).toMatchObject({ kind, key });
  });

  it('have one canonical spelling', () => {
    expect(parsed(COLONS).canonical).toBe(`cert-sha1:${HEX20}`);
    expect(parsed(`sha256//${BASE64}`).canonical).toBe(`spki-sha256:${BASE64}`);
    expect(parsed(`spki-sha256:${HEX32}`).canonical).toBe(`spki-sha256:${BASE64}`);
    expect(parsed(`SHA256 Fingerprint=${HEX32}`).canonical).toBe(`cert-sha256:${HEX32}`);
  });

  it('tell base64 that begins with a slash from the slash of curl', () => {
    const slash = `ff${HEX32.slice(2)}`;
    const base64 = Buffer.from(slash, 'hex').toString('base64');
    expect(base64[0]).toBe('/');
    for (const text of [`sha256/${base64}`, `sha256//${base64}`]) expect(parsed(text).key).toBe(slash);
  });

  it('are no digest where a character of 44 was lost, also where the slash of curl could stand for it', () => {
    for (const length of [41, 42]) {
      for (const padding of ['', '=']) {
        const text = `sha256//${BASE64.slice(0, length)}${padding}`;
        expect(parsePin(text), text).toEqual({ error: expect.stringContaining('32 octets') });
      }
    }
  });

  it('are base64 in one spelling only: what lacks its padding or is of another alphabet is told its own', () => {
    const digest = Buffer.alloc(32, 0xfb);
    const base64 = digest.toString('base64');
    for (const spelling of [base64.slice(0, -1), digest.toString('base64url'), base64.replaceAll('+', '-')]) {
      for (const text of [`sha256//${spelling}`, `spki-sha256:${spelling}`, `pin-sha256="${spelling}"`]) {
        expect(parsePin(text), text).toEqual({ error: expect.stringContaining(`write "spki-sha256:${base64}"`) });
      }
    }
  });

  it('have no bits behind their last octet', () => {
    const last = BASE64.at(-2)!;
    const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
    const next = ALPHABET[ALPHABET.indexOf(last) + 1]!;
    for (const text of [`sha256//${BASE64.slice(0, -2)}${next}=`, `sha256/${BASE64.slice(0, -2)}${next}=`]) {
      expect(parsePin(text), text).toEqual({ error: expect.stringContaining('32 octets') });
    }
  });

  it('a TLSA usage says where the certificate stands', () => {
    const places = [0, 1, 2, 3].map((usage) => parsed(`tlsa:${usage} 1 1 ${HEX32}`).at);
    expect(places).toEqual(['ca', 'leaf', 'ca', 'leaf']);
  });
});

describe('whole certificates and keys', () => {
  const der = certificate('leaf');
  const { sha256, spki, spkiSha256 } = presentCertificate(der);

  it.each([
    ['base64', `cert:${Buffer.from(der).toString('base64')}`],
    ['hex', `cert:${hex(der)}`],
    ['TLSA', `tlsa:2 0 0 ${hex(der)}`],
  ])('a certificate in %s', (_how, text) => {
    expect(parsed(text)).toMatchObject({ kind: 'cert', key: sha256, canonical: `cert-sha256:${sha256}`, der });
  });

  it.each([
    ['base64', `spki:${Buffer.from(spki!).toString('base64')}`],
    ['hex', `spki:${hex(spki!)}`],
    ['TLSA', `tlsa:3 1 0 ${hex(spki!)}`],
  ])('a key in %s', (_how, text) => {
    expect(parsed(text)).toMatchObject({ kind: 'spki', key: spkiSha256, der: null });
  });
});

describe('concrete keys', () => {
  it.each(['leaf', 'leaf-p256', 'root-p384', 'leaf-p521', 'leaf-k256', 'leaf-bp256', 'leaf-ed25519', 'root-pss'])(
    'of %s, in the spelling of the log and as a whole SubjectPublicKeyInfo',
    (name) => {
      const { key, spki } = present(name);
      const algorithm = key!.split(':')[0]!;
      expect(parsed(key!)).toMatchObject({ kind: 'key', key, canonical: key, weakness: null });
      expect(parsed(`${algorithm}:${hex(spki!).toUpperCase()}`).key).toBe(key);
    },
  );

  it.each(['leaf-p256', 'root-p384', 'leaf-p521', 'leaf-k256', 'leaf-bp256'])(
    'of %s as xt_sslpin wrote it, without the curve: the point tells',
    (name) => {
      const { key, spki } = present(name);
      expect(parsed(`ec:${key!.split(':')[1]}`).key).toBe(key);
      expect(parsed(`ec:${hex(spki!)}`).key).toBe(key);
    },
  );

  it('know other names of a curve', () => {
    const { key } = present('leaf-p256');
    const point = key!.split(':')[1];
    for (const name of ['prime256v1', 'SECP256R1', '1.2.840.10045.3.1.7']) {
      expect(parsed(`ec(${name}):${point}`).key).toBe(key);
    }
  });

  it('of DSA say how little they are worth; the whole key is compared where it is given', () => {
    const { key, spki, spkiSha256 } = present('leaf-dsa');
    expect(parsed(key!)).toMatchObject({ kind: 'key', key });
    expect(parsed(key!).weakness).toMatch(/parameters/);
    expect(parsed(`dsa:${hex(spki!)}`)).toMatchObject({ kind: 'spki', key: spkiSha256, weakness: null });
  });

  it('take a curve that is not known here by its identifier', () => {
    expect(parsed('ec(1.2.3.4):0400').key).toBe('ec(1.2.3.4):0400');
  });
});

describe('lists', () => {
  it('are named after @', () => {
    expect(parsePin('@0')).toEqual({ list: '0' });
    expect(parsePin('@bad-certs')).toEqual({ list: 'bad-certs' });
  });
});

describe('what a list knows its digests to be', () => {
  it('settles what a bare digest is', () => {
    expect(parsePin(HEX32, 'spki-sha256')).toMatchObject({ pin: { kind: 'spki-sha256', key: HEX32 } });
    expect(parsePin(BASE64, 'spki-sha256')).toMatchObject({ pin: { kind: 'spki-sha256', key: HEX32 } });
    expect(parsePin(HEX32, 'cert-sha256')).toMatchObject({ pin: { kind: 'cert-sha256', key: HEX32 } });
    expect(parsePin(HEX20, 'cert-sha256')).toMatchObject({ error: expect.stringContaining('32 octets') });
  });
});

describe('refusals name the cure', () => {
  const point = present('leaf-p256').key!.split(':')[1]!;
  const rsa = present('leaf').key!.split(':')[1]!;
  const base64 = (digits: string) => Buffer.from(digits, 'hex').toString('base64');
  const offCurve = `${point.slice(0, -2)}${point.endsWith('00') ? '01' : '00'}`;

  it.each([
    ['64 bare hex digits', HEX32, `"cert-sha256:${HEX32}" for the certificate or "spki-sha256:${HEX32}" for its key`],
    ['base64 for a SHA-1', `cert-sha1:${base64(HEX20)}`, `write "cert-sha1:${HEX20}"`],
    ['base64 for a SHA-256', `sha256 Fingerprint=${BASE64}`, `write "cert-sha256:${HEX32}"`],
    ['base64 for a key', `rsa:${base64(rsa)}`, `write "rsa:${rsa}"`],
    ['base64 for a key of a curve', `ec(P-256):${base64(point)}`, `write "ec(P-256):${point}"`],
    ['base64 for TLSA', `tlsa:3 1 1 ${BASE64}`, `write "tlsa:3 1 1 ${HEX32}"`],
    ['a bare SHA-1 in base64', base64(HEX20), `cert-sha1:${HEX20}`],
    ['bare base64', BASE64, `spki-sha256:${BASE64}`],
    ['a short digest', `cert-sha256:${HEX20}`, '32 octets'],
    ['a digest that is no hex', 'cert-sha1:xyz', '40 digits'],
    ['base64 of the wrong size', 'sha256/AAAA', '32 octets'],
    ['several pins in one string', `sha256//${BASE64};sha256//${BASE64}`, 'one string for each'],
    ['SHA-1 of a key', 'sha1/2jmj7l5rSw0yVb/vlWAYkK/YBwk=', 'sha256/'],
    ['no pin at all', 'www.example.com', 'is not a pin'],
    ['nothing', '', 'is not a pin'],
    ['a certificate that is none', 'cert:AAAA', 'not one DER certificate'],
    ['a certificate that is no text', 'cert:%%%', 'base64 or hex'],
    ['a key that is none', 'spki:3000', 'SubjectPublicKeyInfo'],
    ['a modulus alone', 'rsa:00aabbcc', 'RSAPublicKey'],
    ['no hex', 'rsa:hello', 'in hex'],
    ['a key of another kind', `rsa:${hex(present('leaf-p256').spki!)}`, 'another kind'],
    ['another curve', `ec(P-384):${hex(present('leaf-p256').spki!)}`, 'another kind'],
    ['a point off its curve', `ec(P-256):${offCurve}`, 'not a point of P-256'],
    ['a point on no curve', `ec:${offCurve}`, 'no curve'],
    ['a compressed point without its curve', `ec:02${point.slice(2, 66)}`, 'ec(P-256):'],
    ['a curve that nobody knows', `ec(P-999):${point}`, 'P-384'],
    ['a curve of RSA', `rsa(P-256):${point}`, 'no curve'],
    ['a curve spelled out', `ec:${hex(present('leaf-explicit').spki!)}`, 'RFC 5480'],
    ['a short Edwards key', 'ed25519:0011', '32 octets'],
    ['a DSA key that is no INTEGER', 'dsa:0011', 'INTEGER'],
    ['TLSA fields out of range', `tlsa:4 1 1 ${HEX32}`, '<usage 0-3>'],
    ['a TLSA digest too short', `tlsa:3 1 2 ${HEX32}`, '128 hex'],
    ['a list without a name', '@', 'does not name'],
  ])('%s', (_what, text, cure) => {
    const result = parsePin(text);
    expect(result).toHaveProperty('error');
    expect((result as { error: string }).error).toContain(cure);
  });
});

describe('the spellings of the manual', () => {
  const hex = (octets: number) => '5a'.repeat(octets);
  const base64 = (octets: number) => Buffer.alloc(octets, 0x5a).toString('base64');
  const key = (type: 'rsa' | 'rsa-pss' | 'ec', options: object): string => {
    const { publicKey } = generateKeyPairSync(type as 'rsa', options as { modulusLength: number });
    return publicKey.export({ type: 'spki', format: 'der' }).toString('hex');
  };
  const EXAMPLES: Readonly<Record<string, string>> = {
    'cert-sha256:<hex>': `cert-sha256:${hex(32)}`,
    'cert-sha1:<hex>': `cert-sha1:${hex(20)}`,
    '<40 hex digits>': hex(20),
    'SHA256 Fingerprint=<hex>': `SHA256 Fingerprint=${'5A:'.repeat(31)}5A`,
    'SHA1 Fingerprint=<hex>': `SHA1 Fingerprint=${'5A:'.repeat(19)}5A`,
    'spki-sha256:<base64>': `spki-sha256:${base64(32)}`,
    'spki-sha256:<hex>': `spki-sha256:${hex(32)}`,
    'sha256//<base64>': `sha256//${base64(32)}`,
    'sha256/<base64>': `sha256/${base64(32)}`,
    'pin-sha256="<base64>"': `pin-sha256="${base64(32)}"`,
    'rsa:<hex>': `rsa:${key('rsa', { modulusLength: 2048 })}`,
    'rsa-pss:<hex>': `rsa-pss:${key('rsa-pss', { modulusLength: 2048 })}`,
    'ec:<hex>': `ec:${key('ec', { namedCurve: 'P-256' }).slice(-130)}`,
    'ec(P-256):<hex>': `ec(P-256):${key('ec', { namedCurve: 'P-256' }).slice(-130)}`,
    'dsa:<hex>': `dsa:0203010001`,
    'ed25519:<hex>': `ed25519:${hex(32)}`,
    'ed448:<hex>': `ed448:${hex(57)}`,
    'cert:<base64 or hex>': `cert:${Buffer.from(certificate('root')).toString('base64')}`,
    'spki:<base64 or hex>': `spki:${Buffer.from(spkiOf(certificate('root'))!).toString('hex')}`,
    'tlsa:<usage> <selector> <matching> <hex>': `tlsa:3 1 1 ${hex(32)}`,
    '@<list>': '@bad',
  };

  it.each(PIN_SPELLINGS)('$form', ({ form }) => {
    expect(parsePin(EXAMPLES[form]!)).not.toHaveProperty('error');
  });
});
