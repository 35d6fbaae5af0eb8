import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { KeptRules } from '../../../../src/pins/policy.ts';
import { PERIOD_MS, RulesKeeper } from '../../../../src/runtime/rules/applying/keeper.ts';
import { policy } from '../../../support/policy.ts';

const KEPT: KeptRules = { hooks: ['forward'], format: 'iptables', quic: true, queueUdp: false, queueBypass: false };
let fed: string[][];
let patience: number | undefined;
let says: string | undefined;
let keeper: RulesKeeper;

beforeEach(() => {
  vi.useFakeTimers();
  [fed, says] = [[], undefined];
  keeper = new RulesKeeper(async (program, args, input, patienceMs) => {
    fed.push([program, ...args, input]);
    patience = patienceMs;
    return says;
  });
});
afterEach(() => vi.useRealTimers());

const restore = (more: Partial<KeptRules> = {}) => keeper.restore(policy(), { ...KEPT, ...more });

it('runs what `tlspin rules` prints, for each hook, and spares nothing that is open', async () => {
  expect(await restore({ hooks: ['forward', 'local'] })).toBe('restored');
  expect(fed.map(([program]) => program)).toEqual(['sh', 'sh']);
  expect(fed[0]![1]).toContain('fill iptables security FORWARD');
  expect(fed[1]![1]).toContain('fill iptables security OUTPUT');
  expect(fed[0]![1]).not.toContain('conntrack -U');
  expect(patience).toBeLessThanOrEqual(20_000);
});

it('gives nft its own, behind what nft cannot do', async () => {
  await restore({ format: 'nft' });
  expect(fed[0]!.slice(-1)[0]).toMatch(/^way -4 ''$/m);
  expect(fed[1]!.slice(0, 3)).toEqual(['nft', '-f', '-']);
  expect(fed[1]![3]).toContain('table inet tlspin {');
});

it('says what the program says', async () => {
  says = 'iptables needs root';
  expect(await restore()).toEqual({ failed: says });
});

it('gives up after three times, and tries again ten minutes later', async () => {
  for (let times = 0; times < 3; times++) expect(await restore()).toBe('restored');
  expect(await restore()).toBe('given up');
  vi.advanceTimersByTime(PERIOD_MS);
  expect(await restore()).toBe('restored');
  expect(fed).toHaveLength(4);
});
