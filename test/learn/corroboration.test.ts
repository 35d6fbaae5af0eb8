/** What other gateways saw: when it makes a host settled, and when it speaks against what was seen here. */
import { describe, expect, it } from 'vitest';

import { LearnBook } from '../../src/learn/book.ts';
import { type RemoteSighting, Votes } from '../../src/learn/corroboration.ts';
import { NOTHING_LEARNED } from '../../src/learn/state.ts';

const HOST = 'www.bank.example:443';
const LIMITS = { observations: 4, spacing: 0, hosts: 10, keys: 8 };

/** `gw2@b:aaab`: what a gateway of a network was shown. */
function sighting(text: string): RemoteSighting {
  const [, gateway = '', network = '', shown = ''] = /^(\w+)@(\w+):(\w*)$/.exec(text) ?? [];
  const keys = [...new Set(shown)].map((spki) => ({ spki, count: shown.split(spki).length - 1 }));
  return { gateway, network, observations: shown.length, keys };
}

function votes(gateways: number, others: readonly string[]): Votes {
  const here = { gateway: 'gw1', network: 'a' };
  return new Votes({ gateways, here, sightingsOf: () => others.map(sighting), touch: () => {} }, 'bank', HOST);
}

function bookOf(shown: string) {
  const book = new LearnBook(NOTHING_LEARNED, LIMITS);
  const more = { issuers: [], unseenIssuer: null, isPublic: true, carriesName: true };
  for (const [i, spki] of [...shown].entries()) {
    const chain = spki === '?' ? null : { leaf: { spki, subject: null }, ...more };
    book.observe('bank', HOST, chain, 1_000 * i);
  }
  return { book, learned: book.hostsOf('bank').get(HOST)! };
}

/** The keys that a host is held to then. */
function ready(shown: string, gateways: number, ...others: string[]): string {
  const { book, learned } = bookOf(shown);
  const readiness = book.readinessOf(learned, votes(gateways, others));
  if (readiness.kind !== 'ready') return readiness.kind;
  return [...readiness.keys.map(({ spki }) => spki), ...readiness.more].join('');
}

describe('a host is held to keys that as many gateways of different networks have seen', () => {
  it.each([
    // What others saw counts for nothing unless it is wanted.
    ['aaaa', 1, [], 'a'],
    ['aaa', 1, ['gw2@b:aaaa'], 'learning'],
    ['aaaa', 1, ['gw2@b:bbbb'], 'a'],
    // A witness is somebody else, elsewhere.
    ['aaaa', 2, [], 'learning'],
    ['aaaa', 2, ['gw2@b:a'], 'a'],
    ['aaaa', 2, ['gw2@a:aaaa'], 'learning'],
    ['aaaa', 2, ['gw1@b:aaaa'], 'learning'],
    ['aaaa', 3, ['gw2@b:a'], 'learning'],
    ['aaaa', 3, ['gw2@b:a', 'gw3@b:a'], 'learning'],
    ['aaaa', 3, ['gw2@b:a', 'gw3@c:a'], 'a'],
    // Together it is often enough; one network has one voice.
    ['a', 2, ['gw2@b:aaa'], 'a'],
    ['a', 2, ['gw2@b:aa'], 'learning'],
    ['aa', 2, ['gw2@b:a', 'gw3@b:a'], 'learning'],
    ['aa', 2, ['gw2@b:a', 'gw3@c:a'], 'a'],
    // A man in the middle near this one.
    ['mmmm', 2, ['gw2@b:aaaa', 'gw3@c:aaaa'], 'learning'],
    ['am', 2, ['gw2@b:aaaa', 'gw3@c:aaaa'], 'learning'],
    // And near another one.
    ['aaaa', 2, ['gw2@b:mmmm', 'gw3@c:aaaa'], 'a'],
    // Keys that the host shows elsewhere are its own where as many others say so.
    ['aaaa', 2, ['gw2@b:abbb', 'gw3@c:abbb'], 'ab'],
    ['aaaa', 2, ['gw2@b:abbbb'], 'a'],
    ['aaaa', 2, ['gw2@b:ab', 'gw3@c:ab'], 'a'],
    ['aaa?', 2, ['gw2@b:aaaa'], 'learning'],
  ])('%s with %i, beside %j: %s', (shown, gateways, others, held) => {
    expect(ready(shown, gateways, ...others)).toBe(held);
  });
});

describe('where gateways disagree', () => {
  const said = (shown: string, ...others: string[]) => {
    const { book, learned } = bookOf(shown);
    return votes(2, others).disagreement(book.sightingOf(learned));
  };

  it('who saw what is named, the same way each time', () => {
    const text = `bank: ${HOST} has other keys elsewhere: gw1 (a) was shown spki-sha256:m, gw2 (b) was shown spki-sha256:a, gw3 (c) was shown spki-sha256:a and spki-sha256:b`;
    expect(said('m', 'gw2@b:aaaa', 'gw3@c:ab')).toBe(text);
    expect(said('mmmm', 'gw3@c:aabb', 'gw2@b:a')).toBe(text);
  });

  it.each([
    ['nobody else has seen it', 'a', []],
    ['others have seen nothing that counts', 'a', ['gw2@b:']],
    ['one key is common', 'ab', ['gw2@b:bc']],
    ['the other one sees the world by the same way', 'a', ['gw2@a:b']],
  ])('but not where %s', (_, shown, others) => {
    expect(said(shown, ...others)).toBeUndefined();
  });

  it('others are told of keys of late, as often as counts, and of none that signs for unrelated hosts', () => {
    const { book, learned } = bookOf('aaaaaaabbbb');
    expect(book.sightingOf(learned)).toEqual({ observations: 4, keys: [{ spki: 'b', count: 4 }] });
    const leaf = { spki: 'b', subject: null };
    const chain = { leaf, issuers: [], unseenIssuer: null, isPublic: true, carriesName: true };
    book.observe('bank', 'www.shop.test:443', chain, 0);
    expect(book.sightingOf(learned).keys).toEqual([]);
  });
});
