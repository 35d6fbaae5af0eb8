import { describe, expect, it } from 'vitest';

import { effectiveName } from '../../src/tls/server-name.ts';

const utf8 = (text: string) => Buffer.from(text, 'utf8').toString('latin1');

describe('what a client sent as a name', () => {
  it.each(['www.bank.example', 'WWW.Bank.EXAMPLE', 'www.bank.example.', 'localhost', 'a_b.example', '_dmarc.example'])(
    '%s is one as it stands',
    (name) => {
      expect(effectiveName(name)).toBe(name);
    },
  );

  it.each([
    ['a port', 'www.bank.example:443'],
    ['a colon', 'www.bank.example:'],
    ['a blank behind it', 'www.bank.example '],
    ['blanks around it', ' \twww.bank.example\r\n'],
    ['more behind a blank', 'www.bank.example evil.example'],
    ['NUL behind it', 'www.bank.example\0'],
    ['more behind NUL', 'www.bank.example\0.evil.example'],
    ['dots around it', '.www.bank.example..'],
    ['wide letters', utf8('ｗｗｗ.bank。example')],
  ])('with %s counts as the name that a lenient server reads', (_, name) => {
    expect(effectiveName(name)).toBe('www.bank.example');
  });

  it('in letters of its own script counts as what DNS calls it', () => {
    expect(effectiveName(utf8('b\u00fccher.example'))).toBe('xn--bcher-kva.example');
  });

  it.each([
    ['nothing', ''],
    ['blanks', ' '],
    ['NUL', '\0www.bank.example'],
    ['an address', '198.51.100.7'],
    ['an address and a port', '198.51.100.7:443'],
    ['an address of IPv6', '2001:db8::1'],
    ['the same in brackets', '[2001:db8::1]:443'],
    ['octets of no script', 'b\u00fccher.example'],
    ['an asterisk', '*.bank.example'],
    ['two dots', 'www..bank.example'],
    ['a label of 64', `${'a'.repeat(64)}.example`],
    ['254 octets', `${'a.'.repeat(126)}ab`],
  ])('of %s is none', (_, name) => {
    expect(effectiveName(name)).toBeNull();
  });

  it.each([
    ['dots inside', `a${'.'.repeat(60_000)}a`],
    ['letters', utf8(String.fromCodePoint(...Array.from({ length: 20_000 }, (_, i) => 0x4e00 + i)))],
  ])('of %s, as many as a hello has room for, takes no longer than its octets', (_, name) => {
    const begun = performance.now();
    expect(effectiveName(name)).toBeNull();
    expect(performance.now() - begun).toBeLessThan(1_000);
  });
});
