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
  if (keys === '') return { book, learned, ready: '' };
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

describe('a key that is shown again within a while', () => {
  const spaced = (...at: number[]) => {
    const book = new LearnBook(NOTHING_LEARNED, { ...LIMITS, observations: 2, spacing: 60 });
    for (const seconds of at) book.observe('p', HOST, chain('a'), seconds * 1_000);
    return { book, learned: book.hostsOf('p').get(HOST)! };
  };

  it.each([
    [[0, 1, 2, 59], 1],
    [[0, 60], 2],
    [[0, 59, 60, 119, 120], 3],
    [[100, 0], 2],
  ])('at %j s is counted %i times', (at, count) => {
    const { book, learned } = spaced(...at);
    expect([learned.observations, learned.keys[0]!.count]).toEqual([count, count]);
    expect(book.readinessOf(learned).kind).toBe(count > 1 ? 'ready' : 'learning');
  });

  it('is no reason to pass over another one', () => {
    const { book, learned } = spaced(0, 60);
    book.observe('p', HOST, chain('b'), 61_000);
    expect([learned.observations, book.readinessOf(learned).kind]).toEqual([3, 'learning']);
  });

  it('still tells what signs for it', () => {
    const { book } = spaced(0);
    const issuers = [{ spki: spki('i'), subject: 'CN=i' }];
    book.observe('p', HOST, chain('a', { issuers }), 1_000);
    book.observe('p', 'shop.test:443', chain('c', { issuers }), 2_000);
    expect(book.sitesOf(spki('i'))).toEqual(['bank.example', 'shop.test']);
  });
});

describe('what is forgotten', () => {
  it('was never seen, and makes room', () => {
    const { book } = after('aaaa');
    book.forget('p', HOST);
    book.forget('p', 'nobody:443');
    expect(book.state).toEqual(NOTHING_LEARNED);
    for (let i = 0; i < LIMITS.hosts; i++) expect(book.observe('p', `h${i}:443`, chain('a'), 0)).toBeDefined();
  });

  it('is not that a key signs for unrelated hosts', () => {
    const { book } = after('aaaa');
    book.observe('p', 'shop.test:443', chain('a'), 0);
    book.forget('p', HOST);
    book.forget('p', 'shop.test:443');
    expect(book.sitesOf(spki('a'))).toEqual(['bank.example', 'shop.test']);
  });
});

describe('what is kept', () => {
  it('of what a server chooses, is short', () => {
    const { book } = after('');
    const leaf = { spki: spki('a'), subject: `CN=${'x'.repeat(50_000)}` };
    const issuers = Array.from({ length: 16 }, (_, i) => ({
      spki: spki(String.fromCharCode(97 + i)),
      subject: leaf.subject,
    }));
    book.observe('p', HOST, { ...chain('a'), leaf, issuers }, 0);
    expect(stateText(book.state).length).toBeLessThan(6_000);
  });

  it('is bounded, the one that was not seen for longest goes, and its going is remembered', () => {
    const { learned, ready } = after('aaaabcda');
    expect(learned.keys.map(({ subject, count }) => `${subject} ${count}`)).toEqual(['CN=c 1', 'CN=d 1', 'CN=a 1']);
    expect([learned.unlistedAt, ready]).toEqual([5, 'learning']);
  });

  it('keeps what was promoted', () => {
    const { book, learned } = after('aaaa');
    book.promote(
      learned,
      learned.keys.map(({ spki }) => spki),
      0,
    );
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
