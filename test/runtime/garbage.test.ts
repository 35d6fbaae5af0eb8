/** What nothing refers to any more is gone some time after it was asked for. */
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import type * as NodeVm from 'node:vm';
import { expect, it, vi } from 'vitest';

import { collectSoon, giveBackStart } from '../../src/runtime/garbage.ts';

const others = vi.hoisted(() => ({ times: 3 }));

/** The flag is the whole process's: other threads set it, and take it back, whenever they like. */
vi.mock('node:vm', async (importOriginal) => {
  const vm = await importOriginal<typeof NodeVm>();
  const runInNewContext: typeof vm.runInNewContext = (...code) => {
    if (others.times-- > 0) setFlagsFromString('--no-expose-gc');
    return vm.runInNewContext(...code) as unknown;
  };
  return { ...vm, runInNewContext };
});

it('what loading has left behind is given back once a start is over', async () => {
  const kept = { payload: [] };
  const [left, there] = [new WeakRef({ payload: [] }), new WeakRef(kept)];
  await sleep(10);
  await giveBackStart();
  expect(left.deref()).toBeUndefined();
  expect(there.deref()).toBe(kept);
});

it('what is not in use any more is collected, and what is in use stays', async () => {
  const kept = { payload: [] };
  const [left, there] = [new WeakRef({ payload: [] }), new WeakRef(kept)];
  // Whoever has made a weak reference holds what it is of until this turn is over.
  await sleep(10);
  collectSoon();
  collectSoon();
  await sleep(1500);
  expect(others.times).toBeLessThan(0);
  expect(left.deref()).toBeUndefined();
  expect(there.deref()).toBe(kept);
});
