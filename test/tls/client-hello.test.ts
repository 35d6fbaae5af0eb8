import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import { type ClientHello, offersTls13, parseClientHello } from '../../src/tls/client-hello.ts';
import { clientHelloMessage, extension, type HelloFields, serverName, vector16 } from '../support/tls-bytes.ts';

const bodyOf = (fields: HelloFields) => clientHelloMessage(fields).subarray(4);
const parse = (fields: HelloFields) => parseClientHello(bodyOf(fields));
const hello = (fields: HelloFields) => parse(fields) as ClientHello;
const codeOf = (body: Uint8Array) => {
  const parsed = parseClientHello(body);
  return isFault(parsed) ? parsed.code : undefined;
};

/** version, random of zeros, no session id, one suite, null compression; extensions as given. */
const literal = (extensions: string, head = '0303' + '00'.repeat(32) + '00' + '0002c02f' + '0100') =>
  Buffer.from(head + extensions, 'hex');

describe('a ClientHello', () => {
  it('of literal octets', () => {
    const sni = '0000' + '0010' + '000e' + '00' + '000b' + Buffer.from('example.org').toString('hex');
    const alpn = '0010' + '000e' + '000c' + '026832' + '08' + Buffer.from('http/1.1').toString('hex');
    const versions = '002b' + '0005' + '04' + '0304' + '0303';
    const block = sni + alpn + versions;
    const parsed = parseClientHello(literal((block.length / 2).toString(16).padStart(4, '0') + block));
    expect(parsed).toMatchObject({
      legacyVersion: 0x0303,
      cipherSuites: [0xc02f],
      serverName: 'example.org',
      isServerNameValid: true,
      alpns: ['h2', 'http/1.1'],
      supportedVersions: [0x0304, 0x0303],
      extensionTypes: [0, 16, 43],
      sessionTicket: null,
      isSsl2: false,
    });
    expect(offersTls13(parsed as ClientHello)).toBe(true);
  });

  it('without extensions, as SSLv3 has it', () => {
    expect(parseClientHello(literal(''))).toMatchObject({ serverName: null, extensionTypes: [], alpns: [] });
    expect(parseClientHello(literal('0000'))).toMatchObject({ serverName: null, extensionTypes: [] });
  });

  it('tells what it offers', () => {
    expect(hello({})).toMatchObject({
      offersPsk: false,
      offersEarlyData: false,
      offersEch: false,
      offersRawPublicKey: false,
      sessionTicket: null,
    });
    const all = hello({ psk: true, earlyData: true, ech: true, rawPublicKey: true, ticket: Buffer.from('t') });
    expect(all).toMatchObject({ offersPsk: true, offersEarlyData: true, offersEch: true, offersRawPublicKey: true });
    expect(toHex(all.sessionTicket!)).toBe('74');
    expect(hello({ ticket: Buffer.alloc(0) }).sessionTicket).toEqual(new Uint8Array(0));
  });

  it('keeps unknown suites, versions and extensions as numbers, GREASE among them', () => {
    const parsed = hello({
      suites: [0x0a0a, 0xc02f, 0xeeee],
      supportedVersions: [0x7a7a, 0x0303],
      extensions: [extension(0x1a1a, Buffer.alloc(0)), extension(0xabab, Buffer.from('anything'))],
    });
    expect(parsed).toMatchObject({ cipherSuites: [0x0a0a, 0xc02f, 0xeeee], supportedVersions: [0x7a7a, 0x0303] });
    expect(parsed.extensionTypes.slice(0, 2)).toEqual([0x1a1a, 0xabab]);
    expect(offersTls13(parsed)).toBe(false);
  });

  it('in any order of its extensions', () => {
    const name = serverName('www.bank.example');
    const padding = extension(21, Buffer.alloc(300));
    for (const extensions of [
      [name, padding],
      [padding, name],
    ]) {
      expect(hello({ extensions })).toMatchObject({ serverName: 'www.bank.example' });
    }
  });

  it('is a copy: the bytes may go', () => {
    const body = Uint8Array.from(bodyOf({ name: 'a.example', sessionId: Buffer.alloc(32, 5) }));
    const before = Uint8Array.from(body);
    const parsed = parseClientHello(body) as ClientHello;
    body.fill(0);
    expect(Buffer.compare(parsed.body, before)).toBe(0);
    expect(parsed.sessionId[0]).toBe(5);
    expect(parsed.random[0]).toBe(0xc1);
  });
});

describe('a ClientHello that is refused', () => {
  it('is cut at any octet', () => {
    const whole = bodyOf({ name: 'www.bank.example', sessionId: Buffer.alloc(32), ticket: Buffer.alloc(8) });
    const beforeExtensions = 2 + 32 + 33 + 2 + 6 + 2;
    for (let length = 0; length < whole.length; length++) {
      const isWithoutExtensions = length === beforeExtensions;
      expect(codeOf(whole.subarray(0, length)), `${length} octets`).toBe(
        isWithoutExtensions ? undefined : 'tls.client-hello.syntax',
      );
    }
  });

  it('goes on behind its extensions', () => {
    expect(codeOf(Buffer.concat([bodyOf({ name: 'a.example' }), Buffer.alloc(1)]))).toBe('tls.client-hello.syntax');
  });

  it('has an extension twice (RFC 8446 §4.2), whichever it is', () => {
    for (const twice of [
      [serverName('a.example'), serverName('a.example')],
      [serverName('a.example'), serverName('b.example')],
      [extension(0x1234, Buffer.alloc(0)), extension(0x1234, Buffer.alloc(0))],
    ]) {
      expect(codeOf(bodyOf({ extensions: twice }))).toBe('tls.client-hello.syntax');
    }
  });

  it('has a session id of more than 32 octets, no suites, half a suite, or no compression method', () => {
    const head = '0303' + '00'.repeat(32);
    expect(codeOf(literal('', head + '21' + '00'.repeat(33) + '0002c02f' + '0100'))).toBe('tls.client-hello.syntax');
    expect(codeOf(literal('', head + '00' + '0000' + '0100'))).toBe('tls.client-hello.syntax');
    expect(codeOf(literal('', head + '00' + '0003c02f00' + '0100'))).toBe('tls.client-hello.syntax');
    expect(codeOf(literal('', head + '00' + '0002c02f' + '00'))).toBe('tls.client-hello.syntax');
  });

  it('has half a version in supported_versions, or octets behind a list', () => {
    expect(codeOf(bodyOf({ extensions: [extension(43, Buffer.from('03030403', 'hex'))] }))).toBe(
      'tls.client-hello.syntax',
    );
    expect(codeOf(bodyOf({ extensions: [extension(43, Buffer.from('02030400', 'hex'))] }))).toBe(
      'tls.client-hello.syntax',
    );
    expect(codeOf(bodyOf({ extensions: [extension(16, Buffer.from('0003026832ff', 'hex'))] }))).toBe(
      'tls.client-hello.syntax',
    );
    expect(codeOf(bodyOf({ extensions: [extension(16, Buffer.from('0003036832', 'hex'))] }))).toBe(
      'tls.client-hello.syntax',
    );
  });
});

describe('an empty list of protocols', () => {
  it('offers none', () => {
    expect(hello({ extensions: [extension(16, Buffer.from('0000', 'hex'))] }).alpns).toEqual([]);
  });
});

describe('server_name (RFC 6066 §3)', () => {
  const named = (name: string) => hello({ name });

  it.each([
    'example.org',
    'WWW.Example.ORG',
    'xn--bcher-kva.example',
    '_dmarc.example',
    'a_b.example',
    'localhost',
    'example.org.',
    '1.2.3.4',
    `${'a'.repeat(63)}.example`,
    `${'a.'.repeat(126)}a`,
  ])('%s is a name', (name) => {
    expect(named(name)).toMatchObject({ serverName: name, isServerNameValid: true });
  });

  it('is what was sent, whatever that is', () => {
    for (const name of ['', 'www.bank.example\0.evil.example', '2001:db8::1', 'b\u00fccher.example', '*.example.org']) {
      expect(named(name)).toMatchObject({ serverName: name, isServerNameValid: true });
    }
  });

  const list = (...entries: readonly [number, string][]) =>
    vector16(
      Buffer.concat(entries.map(([type, name]) => Buffer.concat([Buffer.from([type]), vector16(Buffer.from(name))]))),
    );

  it('with two names, another type of name, none at all, one longer than any, or octets behind it, is invalid', () => {
    for (const body of [
      list([0, 'a.example'], [0, 'b.example']),
      list([0, 'a.example'], [1, 'b']),
      list([1, 'a.example']),
      list([0, `www.bank.example\0${'x'.repeat(1_024)}`]),
      list(),
      Buffer.alloc(0),
      Buffer.concat([list([0, 'a.example']), Buffer.alloc(1)]),
    ]) {
      expect(hello({ extensions: [extension(0, body)] })).toMatchObject({ isServerNameValid: false });
    }
  });
});

it('any octets: a hello whose parts add up, or a fault, and nothing is thrown', () => {
  const base = bodyOf({
    name: 'www.bank.example',
    ticket: Buffer.alloc(4),
    alpns: ['h2'],
    supportedVersions: [0x0304],
  });
  const change = fc.tuple(fc.nat(base.length - 1), fc.nat(255));
  fc.assert(
    fc.property(fc.array(change, { maxLength: 6 }), fc.nat(base.length), (changes, cut) => {
      const body = Buffer.from(base);
      for (const [at, octet] of changes) body[at] = octet;
      const parsed = parseClientHello(body.subarray(0, cut === 0 ? body.length : cut));
      if (!isFault(parsed)) expect(parsed.random.length).toBe(32);
    }),
    { numRuns: 500 },
  );
});
