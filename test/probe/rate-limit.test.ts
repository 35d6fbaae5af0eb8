import { expect, it } from 'vitest';

import { RateLimit } from '../../src/probe/allowance/rate-limit.ts';

it('counts what weighs in the minute before, by key', () => {
  const limit = new RateLimit(10);
  limit.count('a', 0, 10);
  limit.count('a', 30_000, 20);
  limit.count('b', 30_000, 5);
  expect(limit.used('a', 59_999)).toBe(30);
  expect(limit.used('a', 60_000)).toBe(20);
  expect(limit.used('a', 90_000)).toBe(0);
  expect(limit.used('b', 60_000)).toBe(5);
  expect(limit.used('c', 0)).toBe(0);
});

it('an event may weigh less later, and nothing once it is over', () => {
  const limit = new RateLimit(10);
  const [first, second] = [limit.count('a', 0, 10), limit.count('a', 10_000, 10)];
  first.weigh(1);
  first.weigh(1);
  expect(limit.used('a', 10_000)).toBe(11);
  expect(limit.used('a', 60_000)).toBe(10);
  first.weigh(100);
  expect(limit.used('a', 60_000)).toBe(10);
  second.weigh(1);
  expect(limit.used('a', 60_000)).toBe(1);
  expect(limit.used('a', 70_000)).toBe(0);
});

it('sums are those of adding up, however many came and went', () => {
  const limit = new RateLimit(10);
  const events: { atMs: number; weight: number }[] = [];
  for (let at = 0; at < 300_000; at += 371) {
    const weight = 1 + ((at * 7) % 10);
    limit.count('a', at, weight);
    events.push({ atMs: at, weight });
    const recent = events.filter(({ atMs }) => atMs > at - 60_000);
    expect(limit.used('a', at)).toBe(recent.reduce((sum, each) => sum + each.weight, 0));
  }
});

it('forgets the key that was quiet longest', () => {
  const limit = new RateLimit(2);
  for (const key of ['a', 'b', 'a', 'c']) limit.count(key, 0, 1);
  expect(['a', 'b', 'c'].map((key) => limit.used(key, 0))).toEqual([2, 0, 1]);
});
