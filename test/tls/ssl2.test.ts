import { describe, expect, it } from 'vitest';

import { isFault } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import { beginsSsl2, parseSsl2ClientHello, parseSsl2ServerHello, SSL2, Ssl2RecordReader } from '../../src/tls/ssl2.ts';
import { ssl2ClientHello, ssl2ServerHello } from '../support/tls-bytes.ts';

const CERTIFICATE = Buffer.from('a certificate');
const codeOf = (parsed: object) => (isFault(parsed) ? parsed.code : undefined);

describe('the first four octets', () => {
  it('of an SSLv2 record tell a CLIENT-HELLO of any version that old clients offered', () => {
    for (const version of [0x0002, 0x0200, 0x0300, 0x0301, 0x0303]) {
      expect(beginsSsl2(ssl2ClientHello(version), SSL2.clientHello)).toBe(true);
    }
    expect(beginsSsl2(ssl2ServerHello(CERTIFICATE), SSL2.serverHello)).toBe(true);
  });

  it('of anything else do not', () => {
    expect(beginsSsl2(Buffer.from('16030100', 'hex'), SSL2.clientHello)).toBe(false);
    expect(beginsSsl2(Buffer.from('802e0200', 'hex'), SSL2.clientHello)).toBe(false);
    expect(beginsSsl2(Buffer.from('802e0105', 'hex'), SSL2.clientHello)).toBe(false);
  });
});

describe('an SSLv2 record', () => {
  it('is gathered from any pieces, and what follows it is not taken', () => {
    const stream = Buffer.concat([ssl2ClientHello(), Buffer.from('following')]);
    const length = stream.length - 9;
    for (let size = 1; size <= stream.length; size++) {
      const reader = new Ssl2RecordReader();
      let taken = 0;
      for (let at = 0; at < stream.length; at += size)
        taken += reader.feed(stream, at, Math.min(at + size, stream.length));
      expect(taken).toBe(length);
      expect(toHex(reader.record!)).toBe(stream.subarray(2, length).toString('hex'));
    }
  });

  it('that is not complete is none', () => {
    const reader = new Ssl2RecordReader();
    const record = ssl2ClientHello();
    reader.feed(record, 0, record.length - 1);
    expect(reader.record).toBeUndefined();
  });
});

describe('CLIENT-HELLO', () => {
  it('of literal octets: version, suites of three octets, the challenge as random (RFC 5246 appendix E.2)', () => {
    const record = Buffer.from('01' + '0301' + '0006' + '0000' + '0010' + '00002f' + '010080' + 'c2'.repeat(16), 'hex');
    expect(parseSsl2ClientHello(record)).toMatchObject({
      legacyVersion: 0x0301,
      cipherSuites: [0x2f, 0x010080],
      serverName: null,
      isServerNameValid: true,
      sessionTicket: null,
      isSsl2: true,
      random: Uint8Array.from([...Array<number>(16).fill(0), ...Array<number>(16).fill(0xc2)]),
    });
  });

  it('cut at any octet, with octets behind it, half a suite or too long a challenge, is refused', () => {
    const record = ssl2ClientHello().subarray(2);
    for (let length = 0; length < record.length; length++) {
      expect(codeOf(parseSsl2ClientHello(record.subarray(0, length)))).toBe('tls.ssl2-client-hello.syntax');
    }
    expect(codeOf(parseSsl2ClientHello(Buffer.concat([record, Buffer.alloc(1)])))).toBe('tls.ssl2-client-hello.syntax');
    for (const bad of [
      '01' + '0301' + '0005' + '0000' + '0010' + '00002f0100' + 'c2'.repeat(16),
      '01' + '0301' + '0003' + '0000' + '0021' + '00002f' + 'c2'.repeat(33),
    ]) {
      expect(codeOf(parseSsl2ClientHello(Buffer.from(bad, 'hex')))).toBe('tls.ssl2-client-hello.syntax');
    }
  });
});

describe('SERVER-HELLO', () => {
  it('carries the one certificate in clear', () => {
    const parsed = parseSsl2ServerHello(ssl2ServerHello(CERTIFICATE).subarray(2));
    expect(parsed).toMatchObject({ sessionIdHit: false, certificate: CERTIFICATE });
  });

  it('of another version or type, or shorter than its lengths, is refused', () => {
    const record = ssl2ServerHello(CERTIFICATE).subarray(2);
    const changed = (at: number, octet: number) => {
      const copy = Buffer.from(record);
      copy[at] = octet;
      return copy;
    };
    for (const bad of [changed(0, 1), changed(2, 9), changed(4, 3), record.subarray(0, -1)]) {
      expect(codeOf(parseSsl2ServerHello(bad))).toBe('tls.ssl2-server-hello.syntax');
    }
  });
});
