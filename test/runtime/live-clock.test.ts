import { describe, expect, it } from 'vitest';

import { LiveClock } from '../../src/runtime/live-clock.ts';

/** Both clocks in milliseconds; the coarse one gives whole ones. */
function clocks() {
  const state = { day: 1_700_000_000_000.3, fine: 17.25 };
  const clock = new LiveClock(
    () => Math.floor(state.day),
    () => state.fine,
  );
  const pass = (milliseconds: number) => {
    state.day += milliseconds;
    state.fine += milliseconds;
  };
  return { clock, state, pass };
}

describe('the time of day', () => {
  it('is finer than milliseconds', () => {
    const { clock, pass } = clocks();
    const before = clock.wallTime();
    expect(Math.abs(before - 1_700_000_000_000_300)).toBeLessThan(2000);
    pass(0.125);
    expect(clock.wallTime() - before).toBe(125);
  });

  it.each([3_600_000, -3_600_000, 50])('follows within a hundredth of a second when it is set by %d ms', (step) => {
    const { clock, state, pass } = clocks();
    state.day += step;
    pass(10);
    expect(Math.abs(clock.wallTime() - state.day * 1000)).toBeLessThan(2000);
  });

  it('is that of this machine', () => {
    expect(Math.abs(new LiveClock().wallTime() / 1000 - Date.now())).toBeLessThan(5);
  });
});

describe('what durations are measured on', () => {
  it.each([3_600_000, -3_600_000])('goes on as before when the time of day is set by %d ms', (step) => {
    const { clock, state, pass } = clocks();
    const before = clock.now();
    state.day += step;
    pass(2.5);
    expect(clock.now() - before).toBe(2500);
  });

  it('has a second at the most of what the machine stood still', () => {
    const { clock, pass } = clocks();
    const before = clock.now();
    for (const passed of [1_400, 60_000, 900]) {
      pass(passed);
      clock.now();
    }
    expect(clock.now() - before).toBe(3_300_000);
  });
});
