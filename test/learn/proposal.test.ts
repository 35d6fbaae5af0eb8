import { describe, expect, it } from 'vitest';

import { LearnBook } from '../../src/learn/book.ts';
import type { LearnedChain } from '../../src/learn/chain.ts';
import { proposalsOf } from '../../src/learn/proposal.ts';
import { NOTHING_LEARNED } from '../../src/learn/state.ts';
import { load } from '../support/configuration.ts';

const spki = (key: string) => Buffer.alloc(32, key).toString('base64');
const chainKey = (key: string) => ({ spki: spki(key), subject: `CN=${key}` });
const chain = (key: string, issuer?: string): LearnedChain => ({
  leaf: chainKey(key),
  issuers: issuer === undefined ? [] : [chainKey(issuer)],
  unseenIssuer: null,
  isPublic: false,
  carriesName: true,
});
const LIMITS = { observations: 3, spacing: 0, hosts: 10, keys: 8 };

function proposed(...sightings: (readonly [host: string, chain: LearnedChain, times: number])[]) {
  const book = new LearnBook(NOTHING_LEARNED, LIMITS);
  for (const [host, shown, times] of sightings) {
    for (let i = 0; i < times; i++) book.observe('p', host, shown, Date.UTC(2026, 0, 1 + i));
  }
  return proposalsOf(book.state, LIMITS);
}

describe('a proposal', () => {
  it('is a pinset with the leaf key, and its issuer as a candidate for the backup, that loads without a warning', () => {
    const [one] = proposed(['www.bank.example:443', chain('a', 'i'), 3]);
    expect(one).toMatchObject({ pinset: 'p', standing: 'settled', warnings: [] });
    expect(one!.proposed).toMatchObject({
      name: 'www.bank.example',
      match: { hosts: ['www.bank.example'], ports: [443] },
      pins: [
        { pin: `spki-sha256:${spki('a')}`, at: 'leaf', comment: 'CN=a; seen 3 times from 2026-01-01 to 2026-01-03' },
        {
          pin: `spki-sha256:${spki('i')}`,
          at: 'ca',
          role: 'backup',
          comment: expect.stringContaining('candidate') as string,
        },
      ],
    });
    const loaded = load({ version: 1, pinsets: [one!.proposed] });
    expect([loaded.errors, loaded.warnings]).toEqual([[], []]);
  });

  it.each([
    ['198.51.100.7:8443', { addresses: ['198.51.100.7'], ports: [8443] }],
    ['[2001:db8::1]:443', { addresses: ['2001:db8::1'], ports: [443] }],
  ])('%s is matched by its address', (host, match) => {
    const [one] = proposed([host, chain('a'), 3]);
    expect(one!.proposed!.match).toEqual(match);
    expect(load({ version: 1, pinsets: [one!.proposed] }).errors).toEqual([]);
  });

  it('waits until a key was seen often enough', () => {
    const [one] = proposed(['www.bank.example:443', chain('a'), 2]);
    expect(one).toMatchObject({ standing: 'learning', proposed: undefined });
    expect(one!.warnings).toEqual(['no key was seen 3 times yet: 2 times the host was']);
  });

  it('warns where a host rotates, and leaves out what was seen in passing', () => {
    const [one] = proposed(['www.bank.example:443', chain('a'), 3], ['www.bank.example:443', chain('b'), 1]);
    expect(one!.standing).toBe('rotating');
    expect(one!.proposed!.pins.map(({ pin }) => pin)).toEqual([`spki-sha256:${spki('a')}`]);
    expect(one!.warnings.join('\n')).toContain('the host rotates: it has shown 2 keys');
    expect(one!.warnings.join('\n')).toContain(`spki-sha256:${spki('b')} was seen 1 time only`);
  });

  it('has no issuer for a backup where no certificate carries the name', () => {
    const [one] = proposed(['www.bank.example:443', { ...chain('a', 'i'), carriesName: false }, 3]);
    expect(one!.proposed!.pins).toHaveLength(1);
    expect(one!.warnings).toEqual([expect.stringContaining('no issuer to propose')]);
  });

  it.each<[string, LearnedChain, LearnedChain]>([
    ['leaf', chain('a'), chain('a')],
    ['issuer', chain('a', 'i'), chain('b', 'i')],
    ['unseen issuer', { ...chain('a'), unseenIssuer: 'name:00' }, { ...chain('b'), unseenIssuer: 'name:00' }],
  ])('is never made of a key that signs for unrelated hosts as their %s', (_what, one, other) => {
    const both = proposed(['www.bank.example:443', one, 5], ['shop.test:443', other, 5]);
    expect(both.map((each) => [each.standing, each.proposed])).toEqual([
      ['withheld', undefined],
      ['withheld', undefined],
    ]);
    for (const { warnings } of both)
      expect(warnings.join()).toMatch(/bank\.example and shop\.test.*by hand, with a comment/);
  });

  it("below a public authority is made of the leaf alone, where the authority's key signs for others too", () => {
    const trusted = (key: string) => ({ ...chain(key, 'i'), isPublic: true });
    const [one] = proposed(['www.bank.example:443', trusted('a'), 3], ['shop.test:443', trusted('b'), 3]);
    expect(one!.proposed!.pins.map(({ pin }) => pin)).toEqual([`spki-sha256:${spki('a')}`]);
  });
});
