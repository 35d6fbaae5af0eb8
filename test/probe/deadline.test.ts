import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, it, vi } from 'vitest';

import { Deadline } from '../../src/probe/deadline.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** As time goes by where timers are looked at only now and then. */
function standStill(milliseconds: number): void {
  const now = performance.now();
  vi.spyOn(performance, 'now').mockReturnValue(now + milliseconds);
}

it('is over when its time is', async () => {
  vi.useFakeTimers();
  const over = vi.fn();
  new Deadline(1_000, over);
  await vi.advanceTimersByTimeAsync(999);
  expect(over).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toHaveBeenCalledOnce();
});

it.each([
  [600, 600],
  [60_000, 1_000],
])('goes on once where nothing ran for %d ms too long: for %d ms', async (late, more) => {
  vi.useFakeTimers();
  const over = vi.fn();
  new Deadline(1_000, over);
  standStill(1_000 + late);
  await vi.advanceTimersByTimeAsync(1_000 + more - 1);
  expect(over).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1);
  expect(over).toHaveBeenCalledOnce();
});

it.each([0, 2_000])('is never over once it was cleared, %d ms late', async (late) => {
  vi.useFakeTimers();
  const over = vi.fn();
  const deadline = new Deadline(1_000, over);
  standStill(1_000 + late);
  await vi.advanceTimersByTimeAsync(late === 0 ? 999 : 1_000);
  deadline.clear();
  await vi.advanceTimersByTimeAsync(10_000);
  expect(over).not.toHaveBeenCalled();
});

it('hears what came while nothing ran ahead of its end', async () => {
  const over = vi.fn();
  const deadline = new Deadline(200, over);
  const until = performance.now() + 700;
  while (performance.now() < until); // as a process that is stopped
  await sleep(100);
  expect(over).not.toHaveBeenCalled();
  deadline.clear();
});
