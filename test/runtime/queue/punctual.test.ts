/** What happens at its very moment, and once. */
import { expect, it } from 'vitest';

import { Punctual } from '../../../src/runtime/queue/punctual.ts';

const done = (micros: readonly number[]) =>
  new Promise<number[]>((resolve) => {
    const begun = performance.now();
    const at: number[] = [];
    const punctual: Punctual = new Punctual(() => at.push(performance.now() - begun));
    for (const each of micros) punctual.in(each);
    setTimeout(() => resolve(at), 100);
  });

it.each([0, 300, 1_500, 2_900, 7_300])('%d microseconds from now, and not earlier', async (micros) => {
  const at = await done([micros]);
  expect(at).toHaveLength(1);
  expect(at[0]!).toBeGreaterThanOrEqual(micros / 1_000);
  // As late as the machine is.
  expect(at[0]!).toBeLessThan(micros / 1_000 + 50);
});

it('the earlier moment holds', async () => {
  const at = await done([20_000, 4_000, 30_000]);
  expect(at).toHaveLength(1);
  expect(at[0]!).toBeGreaterThanOrEqual(4);
  expect(at[0]!).toBeLessThan(19);
});

it('what is no more to be done is not done', async () => {
  expect(await done([4_000, Infinity])).toEqual([]);
  expect(await done([1_000, Infinity])).toEqual([]);
});
