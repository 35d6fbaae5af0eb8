/** A list of several gateways over a carrier that is slow, gone, or somebody else's. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { parseWords, shardOf, wordsOctets } from '../../src/fleet/list-words.ts';
import { SharedList } from '../../src/fleet/shared-list.ts';
import { type FakeBroker, FakeCarrier } from '../support/fake-broker.ts';

const KEY = Buffer.alloc(32, 1);
const digestOf = (number: number) => `cert-sha1:${number.toString(16).padStart(40, '0')}`;
const manyOf = (count: number) => Array.from({ length: count }, (_, number) => digestOf(number));

let carrier: FakeCarrier;
let gateways: Gateway[];

interface Gateway {
  readonly broker: FakeBroker;
  readonly list: SharedList;
  readonly troubles: (string | null)[];
  /** As the list is for whoever is told of changes alone. */
  readonly told: Set<string>;
}

beforeEach(() => {
  carrier = new FakeCarrier();
  gateways = [];
});
afterEach(() => Promise.all(gateways.map(({ list }) => list.stop())));

function join(entries: readonly string[] = [], key: Uint8Array = KEY): Gateway {
  const broker = carrier.connect();
  const troubles: (string | null)[] = [];
  const told = new Set(entries);
  const list = new SharedList({
    ...{ broker, fleet: 'office', list: '0', gateway: `gw${gateways.length}`, key, entries },
    onChange: ({ added, removed }) => {
      for (const entry of added) told.add(entry);
      for (const entry of removed) told.delete(entry);
    },
    onTrouble: (why) => troubles.push(why),
  });
  list.start();
  const gateway = { broker, list, troubles, told };
  gateways.push(gateway);
  return gateway;
}

function change({ list, told }: Gateway, added: readonly string[], removed: readonly string[] = []): void {
  for (const entry of added) told.add(entry);
  for (const entry of removed) told.delete(entry);
  list.change({ added, removed });
}

const contentOf = ({ list }: Gateway) => [...list].sort();
const patience = { timeout: 20_000, interval: 10 };
const allHave = (entries: readonly string[], of = gateways) =>
  expect
    .poll(() => of.every((each) => JSON.stringify(contentOf(each)) === JSON.stringify([...entries].sort())), patience)
    .toBe(true);

describe('a change', () => {
  it('on one is on all, and what is removed is gone', async () => {
    const [a] = [join(), join(), join()];
    change(a, ['x', 'y']);
    await allHave(['x', 'y']);
    change(gateways[2]!, [], ['x']);
    await allHave(['y']);
    expect(gateways.map(({ told }) => [...told])).toEqual([['y'], ['y'], ['y']]);
  });

  it('is there for one that joins, though the servers have lost all that they had', async () => {
    const [a, b] = [join(), join()];
    change(a, ['x', 'y']);
    change(b, ['z'], ['y']);
    await allHave(['x', 'z']);
    carrier.lose();
    for (const { broker } of gateways) broker.cutOff();
    for (const { broker } of gateways) broker.heal();
    await expect.poll(() => gateways.every(({ list }) => list.isCarried), patience).toBe(true);
    join();
    await allHave(['x', 'z']);
  });

  it('of two at the same moment is lost on neither side', async () => {
    const all = [join(), join(), join()];
    for (const [index, each] of all.entries()) {
      // Of one part of the list, so that they are in each other's way.
      change(
        each,
        manyOf(3000).filter((entry) => shardOf(entry) === 7 && Number(`0x${entry.at(-1)!}`) % 3 === index),
      );
    }
    const expected = manyOf(3000).filter((entry) => shardOf(entry) === 7);
    await allHave(all.flatMap(({ told }) => [...told]).filter((entry) => expected.includes(entry)));
    expect(gateways.flatMap(({ troubles }) => troubles.filter((why) => why !== null))).toEqual([]);
  });

  it('on both sides of a partition is on both afterwards, and a removal is one', async () => {
    const [a, b] = [join(['old', 'kept']), join(['old', 'kept'])] as const;
    await allHave(['kept', 'old']);
    a.broker.cutOff();
    b.broker.cutOff();
    change(a, ['by-a'], ['old']);
    change(b, ['by-b']);
    expect([contentOf(a), contentOf(b)]).toEqual([
      ['by-a', 'kept'],
      ['by-b', 'kept', 'old'],
    ]);
    b.broker.heal();
    a.broker.heal();
    await allHave(['by-a', 'by-b', 'kept']);
    await expect.poll(() => gateways.every(({ list }) => list.isCarried), patience).toBe(true);
  });
});

describe('a gateway that is new', () => {
  it('has all, and what it brings along does not bring back what is gone', async () => {
    const a = join();
    change(a, ['x', 'gone']);
    change(a, [], ['gone']);
    await allHave(['x']);
    join(['gone', 'mine']);
    await allHave(['mine', 'x']);
  });

  it('has 100,000 entries in seconds', async () => {
    const entries = manyOf(100_000);
    const a = join(entries);
    await expect.poll(() => a.list.isCarried, { timeout: 40_000, interval: 20 }).toBe(true);
    const began = performance.now();
    const b = join();
    await expect.poll(() => b.told.size, { timeout: 40_000, interval: 20 }).toBe(100_000);
    expect(performance.now() - began).toBeLessThan(30_000);
    const { octets, messages } = carrier;
    change(a, ['cert-sha1:new']);
    await expect.poll(() => b.told.has('cert-sha1:new'), patience).toBe(true);
    // One part of it alone.
    expect(carrier.messages - messages).toBeLessThan(10);
    expect(carrier.octets - octets).toBeLessThan(100_000);
  });
});

describe('who has the carrier', () => {
  const put = async (octets: Uint8Array, key: string) =>
    (await carrier.connect().bucket('tlspin-lists', { history: 1 })).put(key, octets);
  const at = (shard: number) => ({ fleet: 'office', list: '0', shard });
  const shard = shardOf('bad');
  const bad = new Map([['bad', { isPresent: true, at: 5, by: 'gw1' }]]);

  it.each<[string, () => Uint8Array]>([
    ['another key', () => wordsOctets(bad, at(shard), Buffer.alloc(32, 2))],
    ['the seal of another part', () => wordsOctets(bad, at(shard + 1), KEY)],
    ['the seal of another list', () => wordsOctets(bad, { ...at(shard), list: '1' }, KEY)],
    ['nothing', () => new Uint8Array()],
    ['octets', () => Buffer.alloc(1000, 0xff)],
  ])('puts nothing on it with %s', async (_, octets) => {
    const a = join(['good']);
    await put(octets(), `office.0.${shard}`);
    await expect.poll(() => a.troubles.some((why) => why?.includes('is not sealed')), patience).toBe(true);
    expect(contentOf(a)).toEqual(['good']);
  });

  it('brings nothing back with what was sealed before', async () => {
    const a = join();
    change(a, ['bad']);
    await expect.poll(() => a.list.isCarried, patience).toBe(true);
    const before = await (await carrier.connect().bucket('tlspin-lists', { history: 1 })).get(`office.0.${shard}`);
    change(a, [], ['bad']);
    await expect.poll(() => a.list.isCarried, patience).toBe(true);
    await put(before!.value, `office.0.${shard}`);
    const b = join();
    await expect.poll(() => b.list.isCarried, patience).toBe(true);
    await allHave([]);
  });
});

it('words are read as they were written, and cut anywhere are none', () => {
  const place = { fleet: 'office', list: '0', shard: shardOf('a') };
  const words = new Map([['a', { isPresent: false, at: 17, by: 'gw-1' }]]);
  const octets = wordsOctets(words, place, KEY);
  expect(parseWords(octets, place, KEY)).toEqual(words);
  for (let end = 0; end < octets.length; end++) expect(parseWords(octets.subarray(0, end), place, KEY)).toBeUndefined();
});
