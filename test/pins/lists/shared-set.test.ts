/** Lists that several change: whatever order words come in, and however often, the same list comes of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { isNewer, type Mark, SharedSet } from '../../../src/pins/lists/shared-set.ts';

type Word = readonly [string, Mark];

const mark = fc.record({ isPresent: fc.boolean(), at: fc.nat(5), by: fc.constantFrom('gw1', 'gw2', 'gw3') });
const words = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), mark), { maxLength: 12 });

function setOf(...all: readonly (Iterable<Word> | ReadonlyMap<string, Mark>)[]): SharedSet {
  const set = new SharedSet();
  for (const each of all) set.merge(each);
  return set;
}
const contentOf = ({ marks }: SharedSet) => [...marks].sort(([a], [b]) => (a < b ? -1 : 1));
const listOf = (set: SharedSet) => [...set.marks.keys()].filter((entry) => set.has(entry)).sort();

describe('merging', () => {
  it('is commutative', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        expect(contentOf(setOf(a, b))).toEqual(contentOf(setOf(b, a)));
      }),
    );
  });

  it('is associative', () => {
    fc.assert(
      fc.property(words, words, words, (a, b, c) => {
        const left = setOf(setOf(a, b).marks, c);
        const right = setOf(a, setOf(b, c).marks);
        expect(contentOf(left)).toEqual(contentOf(right));
      }),
    );
  });

  it('is idempotent, and tells what has come and gone', () => {
    fc.assert(
      fc.property(words, words, (a, b) => {
        const set = setOf(a);
        const before = new Set(listOf(set));
        const { added, removed } = set.merge(setOf(b).marks);
        for (const entry of added) before.add(entry);
        for (const entry of removed) before.delete(entry);
        expect([...before].sort()).toEqual(listOf(set));
        expect(set.merge(b)).toEqual({ added: [], removed: [] });
      }),
    );
  });

  it('has one winner of any two words that differ', () => {
    fc.assert(
      fc.property(mark, mark, (a, b) => {
        const isSame = a.isPresent === b.isPresent && a.at === b.at && a.by === b.by;
        expect(isNewer(a, b) || isNewer(b, a)).toBe(!isSame);
        expect(isNewer(a, b) && isNewer(b, a)).toBe(false);
      }),
    );
  });
});

/** What a gateway does: what it knows of its own, and what comes of others now and then. */
const step = fc.record({
  gateway: fc.nat(2),
  entry: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
  isPresent: fc.boolean(),
  hears: fc.option(fc.nat(2), { nil: undefined }),
});

it('gateways that changed it apart have the same list once they hear of each other, and nobody’s last word is lost', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const sets = [new SharedSet(), new SharedSet(), new SharedSet()];
      for (const { gateway, entry, isPresent, hears } of steps) {
        // Clocks that stand still are the worst there is.
        sets[gateway]!.say(entry, isPresent, `gw${gateway}`, 7);
        if (hears !== undefined) sets[hears]!.merge(sets[gateway]!.marks);
      }
      for (const to of sets) for (const from of sets) to.merge(from.marks);
      for (const to of sets) for (const from of sets) to.merge(from.marks);
      expect(contentOf(sets[1]!)).toEqual(contentOf(sets[0]!));
      expect(contentOf(sets[2]!)).toEqual(contentOf(sets[0]!));
      const last = steps.at(-1);
      const isAlone = (entry: string) => new Set(steps.filter((one) => one.entry === entry).map((one) => one.gateway));
      if (last !== undefined && isAlone(last.entry).size === 1) expect(sets[0]!.has(last.entry)).toBe(last.isPresent);
    }),
  );
});

it('what both sides of a partition added survives, and what one side removed stays gone', () => {
  const [left, right] = [new SharedSet(), new SharedSet()];
  for (const entry of ['old', 'kept']) left.say(entry, true, 'gw1', 1_000);
  right.merge(left.marks);
  left.say('by-left', true, 'gw1', 2_000);
  right.say('by-right', true, 'gw2', 1_500);
  right.say('old', false, 'gw2', 1_400);
  left.merge(right.marks);
  right.merge(left.marks);
  expect([listOf(left), listOf(right)]).toEqual(Array(2).fill(['by-left', 'by-right', 'kept']));
});
