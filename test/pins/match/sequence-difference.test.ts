import fc from 'fast-check';
import { expect, it } from 'vitest';

import { differenceOfSequences } from '../../../src/pins/match/sequence-difference.ts';

const letters = fc.array(fc.constantFrom(...'abcdef'), { maxLength: 12 });
const itself = (letter: string) => letter;

it('what two sequences differ in is what their sets differ in', () => {
  fc.assert(
    fc.property(letters, letters, letters, letters, (start, before, now, end) => {
      const [one, other] = [
        [...start, ...before, ...end],
        [...start, ...now, ...end],
      ];
      const { added, removed } = differenceOfSequences(one, other, itself);
      expect(new Set(added)).toEqual(new Set(other.filter((letter) => !one.includes(letter))));
      expect(new Set(removed)).toEqual(new Set(one.filter((letter) => !other.includes(letter))));
      expect([added.length, removed.length]).toEqual([new Set(added).size, new Set(removed).size]);
    }),
  );
});

it('what is passed over is not asked for its key', () => {
  const asked: string[] = [];
  const keyOf = (letter: string) => {
    asked.push(letter);
    return letter;
  };
  differenceOfSequences([...'abcdef'], [...'abdef'], keyOf, (a, b) => a === b);
  // Whether `c` occurs elsewhere takes a look at what there is now.
  expect(asked).toEqual(['c', ...'abdef']);
});
