import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { OneArm } from '../../../src/runtime/control/one-arm.ts';

let count: number;
let said: string[];
let logged: FlowEvent[];
let watch: OneArm;

beforeEach(() => {
  vi.useFakeTimers();
  count = 0;
  said = [];
  logged = [];
  watch = new OneArm({
    count: () => count,
    log: { write: (events) => void logged.push(...events) },
    say: (line) => void said.push(line),
  });
  watch.start();
});
afterEach(() => {
  watch.stop();
  vi.useRealTimers();
});

it('is silent while every flow goes out by another interface than it came in by', () => {
  vi.advanceTimersByTime(60_000);
  expect([said, logged]).toEqual([[], []]);
});

it('says once, and records, that one did not', () => {
  vi.advanceTimersByTime(5_000);
  count = 3;
  vi.advanceTimersByTime(60_000);
  expect(said).toEqual([expect.stringContaining('behind one interface')]);
  expect(logged).toMatchObject([{ kind: 'anomaly', code: 'gateway.one-armed', detail: said[0] }]);
});
