import { describe, expect, it } from 'vitest';
import fc from 'fast-check';

import { LearnBook } from '../../src/learn/book.ts';
import type { LearnedChain } from '../../src/learn/chain.ts';
import { siteOf } from '../../src/learn/site.ts';
import { NOTHING_LEARNED, parseState, stateText } from '../../src/learn/state.ts';

const spki = (key: string) => Buffer.alloc(32, key).toString('base64');
const chain = (key: string, more: Partial<LearnedChain> = {}): LearnedChain => ({
  leaf: { spki: spki(key), subject: `CN=${key}` },
  issuers: [],
  unseenIssuer: null,
  isPublic: false,
  carriesName: true,
  ...more,
});
const LIMITS = { observations: 4, spacing: 0, hosts: 10, keys: 3 };
const HOST = 'www.bank.example:443';

/** After a host has shown these keys, one a letter; `?`: one that cannot be read. */
function after(keys: string, limits = LIMITS) {
  const book = new LearnBook(NOTHING_LEARNED, limits);
  for (const [i, key] of [...keys].entries()) book.observe('p', HOST, key === '?' ? null : chain(key), 1_000 * i);
  const learned = book.hostsOf('p').get(HOST)!;
  const readiness = book.readinessOf(learned);
  const ready =
    readiness.kind === 'ready' ? readiness.keys.map((key) => key.subject!.slice(3)).join('') : readiness.kind;
  return { book, learned, ready };
}

describe('a host is settled when its last N observations showed keys that were seen N times each', () => {
  it.each([
    ['aaa', 'learning'],
    ['aaaa', 'a'],
    ['abab', 'learning'],
    ['abababa', 'learning'],
    ['abababab', 'ab'],
    ['aaaaaaaax', 'learning'],
    ['aaaaaaaaxaaa', 'learning'],
    ['aaaaaaaaxaaaa', 'a'],
    ['aaaabbb', 'learning'],
    ['aaaabbbb', 'b'],
    ['aaaa?', 'learning'],
    ['aaaa?aaa', 'learning'],
    ['aaaa?aaaa', 'a'],
    ['aaaabcdaaaa', 'a'],
  ])('%s: %s', (keys, ready) => {
    expect(after(keys).ready).toBe(ready);
  });

  it('which with N of 1 is the first', () => {
    expect(after('a', { ...LIMITS, observations: 1 }).ready).toBe('a');
  });
});

describe('what is kept', () => {
  it('is bounded, the one that was not seen for longest goes, and its going is remembered', () => {
    const { learned, ready } = after('aaaabcda');
    expect(learned.keys.map(({ subject, count }) => `${subject} ${count}`)).toEqual(['CN=c 1', 'CN=d 1', 'CN=a 1']);
    expect([learned.unlistedAt, ready]).toEqual([5, 'learning']);
  });

  it('keeps what was promoted', () => {
    const { book, learned } = after('aaaa');
    book.promote(learned, learned.keys, 0);
    for (const [i, key] of [...'bcdefg'].entries()) book.observe('p', HOST, chain(key), 10_000 + i);
    expect(learned.keys.map(({ subject }) => subject)).toContain('CN=a');
    expect(learned.keys).toHaveLength(3);
  });

  it('comes back from a file as it was, whatever was seen', () => {
    const sighting = fc.tuple(
      fc.constantFrom('a.example:443', 'b.test:443', '10.0.0.1:8443'),
      fc.constantFrom(...'abcdef'),
    );
    fc.assert(
      fc.property(fc.array(sighting, { maxLength: 40 }), (sightings) => {
        const book = new LearnBook(NOTHING_LEARNED, LIMITS);
        for (const [i, [host, key]] of sightings.entries()) book.observe('p', host, chain(key), 1_000 * i);
        const again = new LearnBook(parseState(stateText(book.state)), LIMITS);
        expect(again.state).toEqual(book.state);
        for (const [host, learned] of book.hostsOf('p')) {
          expect(learned.keys.length).toBeLessThanOrEqual(LIMITS.keys);
          const other = again.hostsOf('p').get(host)!;
          expect(again.readinessOf(other)).toEqual(book.readinessOf(learned));
        }
      }),
    );
  });
});

describe('whose a host is', () => {
  it.each([
    ['www.bank.example:443', 'bank.example'],
    ['bank.example:8443', 'bank.example'],
    ['a.b.c.bank.com:443', 'bank.com'],
    ['www.bank.co.uk:443', 'bank.co.uk'],
    ['bank.com.au:443', 'bank.com.au'],
    ['t.co:443', 't.co'],
    ['localhost:443', 'localhost'],
    ['198.51.100.7:443', null],
    ['[2001:db8::1]:443', null],
  ])('%s: %s', (host, site) => {
    expect(siteOf(host)).toBe(site);
  });
});
