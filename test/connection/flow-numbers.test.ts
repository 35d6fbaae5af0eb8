import fc from 'fast-check';
import { expect, it } from 'vitest';

import { FlowNumbers } from '../../src/connection/flow-numbers.ts';

it('no two engines of a run ever number a flow alike, however unevenly they get them', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 64 }), fc.array(fc.nat(63), { maxLength: 300 }), (step, turns) => {
      const engines = Array.from({ length: step }, (_, i) => new FlowNumbers({ first: i + 1, step }));
      const numbers = turns.map((turn) => engines[turn % step]!.next());
      expect(new Set(numbers).size).toBe(numbers.length);
      // 0 is what belongs to no flow.
      expect(numbers.every((number) => number > 0)).toBe(true);
    }),
  );
});

it('an engine by itself counts from 1', () => {
  const numbers = new FlowNumbers();
  expect([numbers.next(), numbers.next()]).toEqual([1, 2]);
});
