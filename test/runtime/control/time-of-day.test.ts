import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { TimeOfDay } from '../../../src/runtime/control/time-of-day.ts';
import { EachSecond } from '../../../src/runtime/protection/each-second.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
let said: string[];
let logged: FlowEvent[];
let eachSecond: EachSecond;

beforeEach(() => {
  vi.useFakeTimers({ now: NOON, toFake: ['Date', 'performance', 'setInterval', 'clearInterval'] });
  said = [];
  logged = [];
  const protection = new Protection({
    log: { write: (events) => void logged.push(...events) },
    say: (line) => void said.push(line),
  });
  eachSecond = new EachSecond(new TimeOfDay(protection), protection);
  eachSecond.start();
});
afterEach(() => {
  eachSecond.stop();
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
  vi.advanceTimersByTime(60_000);
  expect(said.slice(1)).toEqual([expect.stringMatching(/^over after 60 s \(clock.jump\): /)]);
});

it('takes no notice of steps that keep a clock right', () => {
  vi.setSystemTime(Date.now() + 400);
  vi.advanceTimersByTime(5_000);
  expect(said).toEqual([]);
});
