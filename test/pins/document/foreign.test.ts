/** What people give for a configuration by mistake: one sentence that says what it is, and the command that takes it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { certificate, fixturePath } from '../../support/certificates.ts';
import { load } from '../../support/configuration.ts';

const pem = readFileSync(fixturePath('leaf'));
const minimal = '{ "version": 1, "pinsets": [] }';

describe('a file that is no configuration', () => {
  it.each([
    ['a certificate in PEM', pem, 'a certificate in PEM', 'tlspin pin --json /etc/tlspin/tlspin.json'],
    ['text ahead of one', Buffer.concat([Buffer.from('Certificate:\n    Data:\n'), pem]), 'in PEM', 'tlspin pin'],
    ['a certificate in DER', certificate('leaf'), 'DER', 'tlspin pin'],
    ['a private key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 'private key', 'pubout'],
    ['a pcap', Buffer.from('d4c3b2a1020004000000000000000000', 'hex'), 'a capture', 'tlspin inspect'],
    ['a pcapng', Buffer.from('0a0d0d0a1c0000004d3c2b1a', 'hex'), 'a capture', 'tlspin inspect'],
    ['XML of Android', '<?xml version="1.0"?>\n<network-security-config/>', 'another program', 'tlspin import'],
    ['rules', '*filter\n-A INPUT -m sslpin --fpl 0 -j DROP\n', 'another program', 'tlspin import'],
    ['UTF-16', Buffer.from(`\ufeff${minimal}`, 'utf16le'), 'UTF-16', 'iconv -f UTF-16 -t UTF-8'],
    ['UTF-16 of the other order', Buffer.from(`\ufeff${minimal}`, 'utf16le').swap16(), 'UTF-16', 'iconv'],
    ['UTF-16 without a mark', Buffer.from(minimal, 'utf16le'), 'UTF-16', 'iconv'],
  ])('%s', (_what, content, what, command) => {
    const { policy, errors } = load(content);
    expect(policy).toBeNull();
    expect(errors).toHaveLength(1);
    expect(errors[0]).toContain('1:1 ');
    expect(errors[0]).toContain(what);
    expect(errors[0]).toContain(command);
  });

  it('is told from one that speaks of certificates', () => {
    expect(load(`// -----BEGIN CERTIFICATE-----\n${minimal}`).errors).toEqual([]);
    expect(load(`\ufeff ${minimal}`).errors).toEqual([]);
  });
});
