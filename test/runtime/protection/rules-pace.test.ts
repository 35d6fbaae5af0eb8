import { beforeEach, describe, expect, it } from 'vitest';

import { RulesPace, TICK_MS } from '../../../src/runtime/protection/rules-pace.ts';

/** What the kernel tells at a tick; nothing: it has not changed. */
let news: Map<number, boolean | undefined>;
let now: number;
let takes: number;
let isAmiss: boolean;
let pace: RulesPace;
/** When looks began. */
let looks: number[];
/** When it was first seen to be late. */
let lateAt: number | undefined;

beforeEach(() => {
  [news, now, takes, isAmiss, looks, lateAt] = [new Map(), 0, 100, false, [], undefined];
  pace = new RulesPace({ mayHaveChanged: () => (news.has(now) ? news.get(now) : news.get(-1)) });
  news.set(-1, false);
});

function pass(milliseconds: number): void {
  const until = now + milliseconds;
  let ends: number | undefined;
  for (; now < until; now += TICK_MS) {
    if (ends !== undefined && ends <= now) {
      pace.end(ends, isAmiss);
      ends = undefined;
    }
    if (pace.isTime(now)) {
      looks.push(now);
      pace.begin(now);
      ends = now + takes;
    } else if (pace.isLate(now)) lateAt ??= now;
  }
  if (ends !== undefined) pace.end(ends, isAmiss);
}

it('looks twice at the start, and then hardly while nothing is told', () => {
  pass(70_000);
  expect(looks).toEqual([0, 2_000, 32_000, 62_000]);
});

it('looks twice when there is news, at once and two seconds later', () => {
  pass(5_000);
  news.set(6_500, true);
  pass(5_000);
  expect(looks).toEqual([0, 2_000, 6_500, 8_500]);
  expect(lateAt).toBeUndefined();
});

it('does not wait where the last look was of another matter', () => {
  news.set(2_500, true);
  pass(9_000);
  expect(looks).toEqual([0, 2_000, 2_500, 4_500]);
});

it('goes on every two seconds while something is amiss', () => {
  isAmiss = true;
  pass(9_000);
  expect(looks).toEqual([0, 2_000, 4_000, 6_000, 8_000]);
});

describe.each([
  ['that nobody can tell of', undefined],
  ['that come all the time', true],
])('changes %s', (_, told) => {
  beforeEach(() => void news.set(-1, told));

  it('have it look every two seconds, and are told of in time', () => {
    pass(9_000);
    expect(looks).toEqual([0, 2_000, 4_000, 6_000, 8_000]);
    expect(lateAt).toBeUndefined();
  });

  it('leave as much time for others where a look takes long', () => {
    takes = 3_000;
    pass(13_000);
    expect(looks).toEqual([0, 6_000, 12_000]);
  });
});

it('a second look that takes long begins as soon as the first one is over', () => {
  pass(5_000);
  takes = 2_000;
  news.set(5_000, true);
  pass(10_000);
  expect(looks.slice(2)).toEqual([5_000, 7_000]);
  expect(lateAt).toBeUndefined();
});

it('is late where two looks take longer than there is time, until they are over', () => {
  pass(5_000);
  takes = 3_000;
  news.set(5_000, true);
  pass(10_000);
  expect(looks.slice(2)).toEqual([5_000, 8_000]);
  expect(lateAt).toBe(9_000);
  expect(pace.isLate(now)).toBe(false);
});
