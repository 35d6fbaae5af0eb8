import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { FlowEvent } from '../../../src/judge/events.ts';
import { OneArm } from '../../../src/runtime/control/one-arm.ts';
import { EachSecond } from '../../../src/runtime/protection/each-second.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';

let count: number;
let said: string[];
let logged: FlowEvent[];
let eachSecond: EachSecond;

beforeEach(() => {
  vi.useFakeTimers();
  count = 0;
  said = [];
  logged = [];
  const protection = new Protection({
    log: { write: (events) => void logged.push(...events) },
    say: (line) => void said.push(line),
  });
  eachSecond = new EachSecond(new OneArm({ count: () => count, protection }), protection);
  eachSecond.start();
});
afterEach(() => {
  eachSecond.stop();
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
  expect(said).toEqual([expect.stringMatching(/^degraded \(gateway.one-armed\): /)]);
  expect(logged).toMatchObject([{ kind: 'anomaly', code: 'gateway.one-armed', condition: { state: 'begin' } }]);
});
