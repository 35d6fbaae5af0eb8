import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { shuffled, takeTurns } from '../../../src/probe/decoys/turns.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function begun(count: number): { readonly taken: number[]; readonly hurry: () => void } {
  const taken: number[] = [];
  const hurry = takeTurns(Array.from({ length: count }, (_, at) => () => void taken.push(at)));
  return { taken, hurry };
}

it('are taken one after the other, the first at once', () => {
  const { taken } = begun(4);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(0);
  expect(taken).toHaveLength(1);
  vi.advanceTimersByTime(4);
  expect(taken.length).toBeGreaterThan(1);
  vi.advanceTimersByTime(100);
  expect([...taken].sort()).toEqual([0, 1, 2, 3]);
});

it('are each the first as often as any other', () => {
  const firsts = Array.from({ length: 4_000 }, () => begun(4).taken[0]!);
  // Of 1,000 each; a deviation of 150 is more than five standard deviations.
  for (const each of [0, 1, 2, 3])
    expect(Math.abs(firsts.filter((first) => first === each).length - 1_000)).toBeLessThan(150);
  const orders = Array.from({ length: 2_400 }, () => shuffled(['a', 'b', 'c']).join(''));
  for (const order of new Set(orders)) expect(orders.filter((each) => each === order).length).toBeGreaterThan(280);
  expect(new Set(orders).size).toBe(6);
});

it('that are left are taken at once where there is no time, and none twice', () => {
  const { taken, hurry } = begun(4);
  hurry();
  expect([...taken].sort()).toEqual([0, 1, 2, 3]);
  vi.advanceTimersByTime(100);
  hurry();
  expect(taken).toHaveLength(4);
});
