import { describe, expect, it } from 'vitest';

import { LearnBook } from '../../src/learn/book.ts';
import { findHosts } from '../../src/learn/forget.ts';
import { NOTHING_LEARNED } from '../../src/learn/state.ts';

const KNOWN = [
  ['bank', 'www.bank.example:443'],
  ['bank', 'www.bank.example:8443'],
  ['bank', 'api.bank.example:443'],
  ['others', 'www.bank.example:443'],
  ['others', '[2001:db8::1]:443'],
  ['www.shop.test', 'www.shop.test:443'],
  ['cdn.test', 'cdn.test:443'],
  ['cdn.test', 'img.test:443'],
] as const;

function found(targets: readonly string[], pinset?: string): string[] {
  const book = new LearnBook(NOTHING_LEARNED, { observations: 1, spacing: 0, hosts: 99, keys: 2 });
  for (const [name, host] of KNOWN) book.observe(name, host, null, 0);
  return findHosts(book, { targets, pinset }).map(({ pinset: name, host }) => `${name} ${host}`);
}

describe('what is to be forgotten', () => {
  it.each<[string, string[], string | undefined, string[]]>([
    [
      'a host, with all its ports, in every pinset',
      ['www.bank.example'],
      undefined,
      ['bank www.bank.example:443', 'bank www.bank.example:8443', 'others www.bank.example:443'],
    ],
    ['a host as it might be written', [' WWW.Bank.Example.:8443'], undefined, ['bank www.bank.example:8443']],
    ['a pinset', ['others'], undefined, ['others www.bank.example:443', 'others [2001:db8::1]:443']],
    ['an address', ['2001:DB8::1'], undefined, ['others [2001:db8::1]:443']],
    [
      'several, each once',
      ['bank', 'api.bank.example'],
      undefined,
      ['bank www.bank.example:443', 'bank www.bank.example:8443', 'bank api.bank.example:443'],
    ],
    ['a host of one pinset', ['www.bank.example'], 'others', ['others www.bank.example:443']],
    ['everything of one pinset', [], 'cdn.test', ['cdn.test cdn.test:443', 'cdn.test img.test:443']],
    ['a pinset named after its only host', ['www.shop.test'], undefined, ['www.shop.test www.shop.test:443']],
  ])('%s', (_what, targets, pinset, hosts) => {
    expect(found(targets, pinset)).toEqual(hosts);
  });

  it.each<[string, string[], string | undefined, string]>([
    [
      'an unknown host',
      ['www.bnk.example'],
      undefined,
      'nothing was learned of "www.bnk.example": did you mean "www.bank.example"?',
    ],
    ['an unknown port', ['api.bank.example:442'], undefined, 'did you mean "api.bank.example:443"?'],
    ['an unknown pinset', [], 'bonk', 'nothing was learned for a pinset "bonk": did you mean "bank"?'],
    ['what is like nothing', ['zzzzzzzz'], undefined, 'nothing was learned of "zzzzzzzz": see tlspin learn show'],
    [
      'a host of another pinset',
      ['api.bank.example'],
      'others',
      'nothing was learned of "api.bank.example" for the pinset "others"',
    ],
    ['a known and an unknown one', ['bank', 'zzzzzzzz'], undefined, 'nothing was learned of "zzzzzzzz"'],
    [
      'what is a host and more',
      ['cdn.test'],
      undefined,
      '"cdn.test" is a host and a pinset: write cdn.test:443 for the host, or --pinset cdn.test for the pinset',
    ],
    ['nothing', [], undefined, 'name what is to be forgotten'],
  ])('is not %s', (_what, targets, pinset, error) => {
    expect(() => found(targets, pinset)).toThrow(error);
  });
});
