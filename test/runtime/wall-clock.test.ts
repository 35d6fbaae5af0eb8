import { expect, it } from 'vitest';

import { WallClock } from '../../src/runtime/wall-clock.ts';

/** Both clocks in milliseconds; the coarse one gives whole ones. */
function clocks() {
  const state = { day: 1_700_000_000_000.3, fine: 17.25 };
  const clock = new WallClock(
    () => Math.floor(state.day),
    () => state.fine,
  );
  const pass = (milliseconds: number) => {
    state.day += milliseconds;
    state.fine += milliseconds;
  };
  return { clock, state, pass };
}

it('is the time of day, finer than milliseconds', () => {
  const { clock, pass } = clocks();
  const before = clock.now();
  expect(Math.abs(before - 1_700_000_000_000_300)).toBeLessThan(2000);
  pass(0.125);
  expect(clock.now() - before).toBe(125);
});

it.each([3_600_000, -3_600_000, 50])('follows when the time of day is set by %d ms', (step) => {
  const { clock, state } = clocks();
  state.day += step;
  expect(Math.abs(clock.now() - state.day * 1000)).toBeLessThan(2000);
});

it('agrees with the clock of this machine', () => {
  const clock = new WallClock();
  expect(Math.abs(clock.now() / 1000 - Date.now())).toBeLessThan(5);
});
