import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { TimeOfDay } from '../../../src/runtime/control/time-of-day.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
let said: string[];
let logged: FlowEvent[];
let watch: TimeOfDay;

beforeEach(() => {
  vi.useFakeTimers({ now: NOON, toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] });
  said = [];
  logged = [];
  watch = new TimeOfDay({
    log: { write: (events) => void logged.push(...events) },
    say: (line) => void said.push(line),
  });
  watch.start();
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

it('says nothing while it passes as time does', () => {
  vi.advanceTimersByTime(86_400_000);
  expect(said).toEqual([]);
});

it.each([
  [-3_600_000, 'back by 3600 s'],
  [3_600_000, 'forward by 3600 s'],
])('says once that it was set by %d ms, and in the log at the new time', (jump, text) => {
  vi.advanceTimersByTime(10_000);
  vi.setSystemTime(Date.now() + jump);
  vi.advanceTimersByTime(10_000);
  expect(said).toEqual([expect.stringContaining(text)]);
  expect(logged).toMatchObject([{ kind: 'anomaly', code: 'clock.jump', time: (NOON + 11_000 + jump) * 1000 }]);
});

it('takes no notice of steps that keep a clock right', () => {
  vi.setSystemTime(Date.now() + 400);
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual([]);
});
