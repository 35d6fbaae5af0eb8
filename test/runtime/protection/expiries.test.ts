import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { AnomalyEvent } from '../../../src/judge/events.ts';
import type { Policy } from '../../../src/pins/policy.ts';
import { Expiries } from '../../../src/runtime/protection/expiries.ts';
import { pin, pinset, policy } from '../../support/policy.ts';

const DAY = 86_400_000;
const NOON = Date.UTC(2026, 10, 22, 12);
let inForce: Policy;
let said: string[];
let recorded: AnomalyEvent[];
let expiries: Expiries;

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  [said, recorded] = [[], []];
  const log = { write: (events: readonly AnomalyEvent[]) => void recorded.push(...events) };
  expiries = new Expiries({ policy: () => inForce, log, say: (line) => void said.push(line) });
});
afterEach(() => vi.useRealTimers());

function daysLater(days: number): string[] {
  vi.setSystemTime(NOON + days * DAY);
  said = [];
  for (let second = 0; second < 3; second++) expiries.look();
  return said;
}

it('what ends is told a month, a week and a day ahead, once each, and recorded', () => {
  inForce = policy({
    pinsets: [pinset(0, { expires: NOON + 40 * DAY, pins: [pin('cert-sha1', 'ab', { expires: NOON + 50 * DAY })] })],
  });
  expect(daysLater(0)).toEqual([]);
  expect(daysLater(11)).toEqual(['ahead of time: the pinset pinset-0 ends on 2027-01-01T12:00:00.000Z, in 29 days']);
  expect(daysLater(19)).toEqual([]);
  expect(daysLater(21)).toEqual([expect.stringMatching(/the pin cert-sha1:ab of the pinset pinset-0 .* in 29 days$/)]);
  expect(daysLater(34)).toEqual([expect.stringMatching(/pinset-0 ends .* in 6 days$/)]);
  expect(daysLater(39.5)).toEqual([expect.stringMatching(/pinset-0 ends .* in a day$/)]);
  expect(daysLater(41)).toEqual([]);
  expect(recorded.map(({ code }) => code)).toEqual(Array.from({ length: 4 }, () => 'pin.expires-soon'));
});

it('what was near when it was loaded has been said then, and what is put right is not told', () => {
  inForce = policy({ pinsets: [pinset(0, { expires: NOON + 20 * DAY })] });
  expect(daysLater(0)).toEqual([]);
  inForce = policy({ pinsets: [pinset(0, { expires: NOON + 400 * DAY })] });
  expect(daysLater(14)).toEqual([]);
  expect(daysLater(371)).toEqual([expect.stringMatching(/in 29 days$/)]);
});
