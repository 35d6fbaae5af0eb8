import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Roundup } from '../../../src/runtime/queue/roundup.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('is done when everybody has answered', async () => {
  const roundup = new Roundup<string>(1000);
  const asked = roundup.ask(1, [4, 5]);
  roundup.answer(1, 5, 'five');
  roundup.answer(1, 5, 'again');
  roundup.answer(2, 4, 'to another question');
  roundup.answer(1, 6, 'nobody asked');
  roundup.answer(1, 4, 'four');
  expect([...(await asked)]).toEqual([
    [5, 'five'],
    [4, 'four'],
  ]);
  expect(vi.getTimerCount()).toBe(0);
});

it('nobody to ask is no answer', async () => {
  expect(await new Roundup(1000).ask(1, [])).toEqual(new Map());
});

it('ends with what there is when patience ends', async () => {
  const roundup = new Roundup<string>(1000);
  const asked = roundup.ask(1, [4, 5]);
  roundup.answer(1, 4, 'four');
  vi.advanceTimersByTime(1000);
  roundup.answer(1, 5, 'too late');
  expect([...(await asked).keys()]).toEqual([4]);
});

it('does not wait for who is gone', async () => {
  const roundup = new Roundup<string>(1000);
  const first = roundup.ask(1, [4, 5]);
  const second = roundup.ask(2, [5]);
  roundup.gone(5);
  expect(await second).toEqual(new Map());
  roundup.answer(1, 4, 'four');
  expect([...(await first).keys()]).toEqual([4]);
});
