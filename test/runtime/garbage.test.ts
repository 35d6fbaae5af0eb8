/** What nothing refers to any more is gone some time after it was asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';

import { collectSoon } from '../../src/runtime/garbage.ts';

it('what is not in use any more is collected, and what is in use stays', async () => {
  const kept = { payload: [] };
  const [left, there] = [new WeakRef({ payload: [] }), new WeakRef(kept)];
  // Whoever has made a weak reference holds what it is of until this turn is over.
  await sleep(10);
  collectSoon();
  collectSoon();
  await sleep(1500);
  expect(left.deref()).toBeUndefined();
  expect(there.deref()).toBe(kept);
});
