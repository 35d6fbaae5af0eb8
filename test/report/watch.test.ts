import { describe, expect, it } from 'vitest';

import type { HandshakeEvent } from '../../src/judge/events.ts';
import { parseWatchFilter, watchLine } from '../../src/report/watch.ts';
import { describeCertificate } from '../../src/x509/certificate.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';

const readers = { present: presentCertificate, describe: describeCertificate };
const event = (fields: Partial<HandshakeEvent> = {}): HandshakeEvent => ({
  kind: 'handshake',
  time: 0,
  client: { address: Uint8Array.of(10, 1, 2, 3), port: 51514 },
  server: { address: Uint8Array.of(198, 51, 100, 7), port: 443 },
  sni: 'www.bank.example',
  from: 'server',
  messageType: 2,
  length: 85,
  leaf: null,
  ...fields,
});

describe('a watch filter', () => {
  it.each([
    ['*', true],
    ['www.bank.example', true],
    ['WWW.Bank.example', true],
    ['bank.example', false],
    ['*.bank.example', true],
    ['*.example', true],
    ['198.51.100.7', true],
    ['10.0.0.0/8', true],
    ['192.0.2.1', false],
    ['2001:db8::/32', false],
    [':443', true],
    [':8443', false],
    ['other.example, :443', true],
  ])('%s: %s', (text, fits) => {
    expect(parseWatchFilter(text)?.(event())).toBe(fits);
  });

  it('holds for no name where the client gave none', () => {
    expect(parseWatchFilter('www.bank.example')?.(event({ sni: null }))).toBe(false);
  });

  it.each(['', 'a b', '10.0.0.0/99', 'x,,y', ':port'])('%j is none', (text) => {
    expect(parseWatchFilter(text)).toBeUndefined();
  });
});

describe('a watched message', () => {
  it('is a line that says who, what and how long', () => {
    expect(watchLine(event(), readers)).toBe(
      '10.1.2.3:51514 > 198.51.100.7:443 "www.bank.example": server: ServerHello (len = 85)',
    );
  });

  it('of a certificate has the name and the key that pins are made of', () => {
    const leaf = certificate('leaf');
    const line = watchLine(event({ messageType: 11, length: 900, leaf }), readers);
    const key = presentCertificate(leaf).key!.slice('rsa:'.length);
    expect(line).toContain(`Certificate (len = 900) cn = "www.bank.example" pubkey_alg = rsa pubkey = ${key}`);
  });

  it('shows what is no text as escapes', () => {
    expect(watchLine(event({ sni: 'a\u001b[31mb', messageType: 99 }), readers)).toContain(
      '"a\\u001b[31mb": server: type 99',
    );
  });
});
