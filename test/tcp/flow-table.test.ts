import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { FlowKey, KEY_WORDS } from '../../src/tcp/flow-key.ts';
import { FlowTable } from '../../src/tcp/flow-table.ts';

/** A key with a hash of the test's choice. */
function key(id: number, hash = id): FlowKey {
  const made = new FlowKey(0);
  made.words[0] = id;
  made.words[KEY_WORDS - 1] = ~id;
  made.hash = hash >>> 0;
  return made;
}

/** Some of them have words that only addresses of IPv6 have. */
function anyKey(id: number, hash: number | undefined): FlowKey {
  const made = key(id, hash);
  if (id % 3 === 0) made.words[5] = id;
  return made;
}

describe('the table', () => {
  it('finds what was set, and nothing else', () => {
    const table = new FlowTable<string>(4);
    expect(table.set(key(1), 'one')).toBeGreaterThan(0);
    expect(table.find(key(1))).toBe('one');
    expect(table.find(key(2))).toBeUndefined();
    expect(table.find(key(17, 1))).toBeUndefined();
  });

  it('compares keys and not hashes', () => {
    const table = new FlowTable<string>(4);
    table.set(key(1, 7), 'one');
    table.set(key(2, 7), 'two');
    expect([table.find(key(1, 7)), table.find(key(2, 7)), table.find(key(3, 7))]).toEqual(['one', 'two', undefined]);
  });

  it.each([1, 2, 3, 5, 6, 7])('tells keys apart by word %i, which only addresses of IPv6 have', (word) => {
    const long = key(1);
    long.words[word] = 9;
    for (const keys of [
      [key(1), long],
      [long, key(1)],
    ] as const) {
      const table = new FlowTable<number>(2);
      table.set(keys[0], 0);
      expect(keys.map((each) => table.find(each))).toEqual([0, undefined]);
      table.set(keys[1], 1);
      expect(keys.map((each) => table.find(each))).toEqual([0, 1]);
      // Another takes the place of the first, and nothing of its key is left there.
      table.delete(keys[0]);
      table.set(key(2), 2);
      const another = key(2);
      another.words[word] = 9;
      expect([...keys, key(2), another].map((each) => table.find(each))).toEqual([undefined, 1, 2, undefined]);
    }
  });

  it('says what has a number, and deletes by it', () => {
    const table = new FlowTable<string>(4);
    const [one, two] = [table.set(key(1, 7), 'one'), table.set(key(2, 7), 'two')];
    expect(table.set(key(2, 7), 'again')).toBe(two);
    expect([one, two, 4].map((number) => table.at(number))).toEqual(['one', 'again', undefined]);
    table.deleteAt(one);
    expect([table.find(key(1, 7)), table.find(key(2, 7)), table.count]).toEqual([undefined, 'again', 1]);
  });

  it('is full at its capacity; what it holds can still be replaced', () => {
    const table = new FlowTable<number>(2);
    table.set(key(1), 1);
    expect(table.full).toBe(false);
    table.set(key(2), 2);
    expect(table.full).toBe(true);
    expect(table.set(key(3), 3)).toBe(0);
    expect(table.find(key(3))).toBeUndefined();
    expect(table.set(key(2), 22)).toBeGreaterThan(0);
    expect([table.count, table.find(key(2))]).toEqual([2, 22]);
  });

  it('keeps its own copy of a key', () => {
    const table = new FlowTable<string>(4);
    const reused = key(1);
    table.set(reused, 'one');
    reused.words[0] = 2;
    reused.hash = 2;
    expect(table.find(key(1))).toBe('one');
    table.delete(key(1));
    expect([table.find(key(1)), table.count]).toEqual([undefined, 0]);
  });

  it('is swept of what is over, wherever it stands', () => {
    const table = new FlowTable<number>(8);
    for (const id of [1, 2, 3, 4, 5, 6]) table.set(key(id, 14), id);
    table.sweep((id) => id % 2 === 1);
    expect([1, 2, 3, 4, 5, 6].map((id) => table.find(key(id, 14)))).toEqual([undefined, 2, undefined, 4, undefined, 6]);
    expect(table.count).toBe(3);
  });

  it('forgets a key that it does not hold without harm', () => {
    const table = new FlowTable<string>(4);
    table.set(key(1), 'one');
    table.delete(key(17, 1));
    expect([table.count, table.find(key(1))]).toEqual([1, 'one']);
  });

  it('finds what lies behind a deleted entry, also across the end of the table', () => {
    const table = new FlowTable<number>(8);
    // Sixteen slots: these all want the last one.
    for (const id of [1, 2, 3, 4]) table.set(key(id, 15), id);
    table.set(key(5, 0), 5);
    table.delete(key(1, 15));
    expect([2, 3, 4].map((id) => table.find(key(id, 15)))).toEqual([2, 3, 4]);
    expect(table.find(key(5, 0))).toBe(5);
  });
});

it('agrees with a map through any insertions, replacements and deletions of colliding keys', () => {
  const action = fc.record({
    kind: fc.constantFrom('set', 'delete', 'find'),
    id: fc.nat(40),
    value: fc.nat(1000),
  });
  // Few hashes, near both ends of a table of 64 slots, so that runs collide and wrap.
  const hashes = fc.array(fc.constantFrom(0, 1, 2, 62, 63, 64, 127, 0xffffffff), { minLength: 41, maxLength: 41 });
  fc.assert(
    fc.property(hashes, fc.array(action, { maxLength: 200 }), (hashOf, actions) => {
      const capacity = 30;
      const table = new FlowTable<number>(capacity);
      const model = new Map<number, number>();
      for (const { kind, id, value } of actions) {
        const k = anyKey(id, hashOf[id]);
        if (kind === 'set') {
          const fits = model.has(id) || model.size < capacity;
          expect(table.set(k, value) > 0).toBe(fits);
          if (fits) model.set(id, value);
        } else if (kind === 'delete') {
          table.delete(k);
          model.delete(id);
        }
        expect(table.count).toBe(model.size);
        for (let other = 0; other <= 40; other++)
          expect(table.find(anyKey(other, hashOf[other]))).toBe(model.get(other));
      }
    }),
  );
});

it('shows every flow with its key, and none that is gone', () => {
  const table = new FlowTable<string>(4);
  const keys = [1, 2, 3].map((id) => new FlowKey(7).restore(String.fromCharCode(id).repeat(KEY_WORDS * 4)));
  for (const [i, each] of keys.entries()) table.set(each, `flow ${i}`);
  table.delete(keys[1]!);
  expect([...table.entries()]).toEqual([
    [keys[0]!.kept, 'flow 0'],
    [keys[2]!.kept, 'flow 2'],
  ]);
});
