import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { GROUP } from '../../src/probe/key-share.ts';
import { KeySupply } from '../../src/probe/key-supply.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it('a share is taken once, whether it was drawn ahead or not', async () => {
  const supply = new KeySupply();
  const taken: string[] = [];
  for (let i = 0; i < 20; i++) {
    taken.push(Buffer.from(supply.take(GROUP.x25519)!.keyExchange).toString('hex'));
    if (i % 3 === 0) await vi.advanceTimersByTimeAsync(50);
  }
  expect(new Set(taken).size).toBe(20);
});

it('draws ahead of the groups that were asked for, and stops', async () => {
  const supply = new KeySupply();
  supply.take(GROUP.x25519);
  supply.take(GROUP.secp256r1);
  await vi.runAllTimersAsync();
  expect(vi.getTimerCount()).toBe(0);
  const own = supply.take(GROUP.secp256r1)!;
  const other = supply.take(GROUP.secp256r1)!;
  expect(own.group).toBe(GROUP.secp256r1);
  expect(own.agree(other.keyExchange)).toEqual(other.agree(own.keyExchange));
});

it('has none of a group that cannot be done, and draws none', () => {
  const supply = new KeySupply();
  expect(supply.take(0x3a3a)).toBeUndefined();
  expect(vi.getTimerCount()).toBe(0);
});
