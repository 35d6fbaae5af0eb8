import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Asking } from '../../src/probe/question.ts';
import { Rechecks } from '../../src/probe/rechecks.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const of = (group: string) => ({ group }) as Asking;

/** Whose answers were checked. */
function drawn(waiting: number) {
  const checked: string[] = [];
  const rechecks = new Rechecks({ random: () => 0.5, waiting, check: ({ group }) => void checked.push(group) });
  const draw = (group: string, count: number) => {
    for (let i = 0; i < count; i++) rechecks.draw(of(group), 1, 1, true);
  };
  return { checked, draw };
}

it('one client with many connections keeps nobody else’s from being checked', () => {
  const { checked, draw } = drawn(16);
  draw('busy', 1_000);
  draw('other', 1);
  vi.advanceTimersByTime(20_000);
  expect(checked).toEqual(['busy', 'busy', 'other']);
});

it('has its share again once its own were checked', () => {
  const { checked, draw } = drawn(8);
  for (let round = 1; round <= 3; round++) {
    draw('busy', 5);
    vi.advanceTimersByTime(20_000);
    expect(checked).toHaveLength(round);
  }
});

it('and all together no more than there is room for', () => {
  const { checked, draw } = drawn(8);
  for (let client = 0; client < 20; client++) draw(`client ${client}`, 1);
  vi.advanceTimersByTime(20_000);
  expect(checked).toHaveLength(8);
});
