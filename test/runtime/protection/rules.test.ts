import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { Protection } from '../../../src/runtime/protection/protection.ts';
import { Rules } from '../../../src/runtime/protection/rules.ts';
import type { KernelQueue } from '../../../src/source/kernel-queue.ts';
import { pinset, policy } from '../../support/policy.ts';
/** As nft 1.0.6 prints what `tlspin rules --queue-udp` has put in place. */
import RECORDED from '../rules/nft-ruleset.json' with { type: 'json' };

let ruleset: string;
let entered: number;
let protection: Protection;
let rules: Rules;
let sleepsIn: (program: string) => Promise<unknown>;

beforeEach(() => {
  ruleset = JSON.stringify(RECORDED.forward);
  entered = 0;
  sleepsIn = async () => undefined;
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
  const watched = policy({ pinsets: [pinset(0)], ports: [[443, 443]], failOpen: true });
  rules = new Rules({
    protection,
    policy: () => watched,
    queues: () => [0, 0],
    keeper: { restore: async () => 'restored' },
    news: undefined,
    run: async (program, args) => {
      await sleepsIn(program);
      return program === 'nft' && args[0] === '-j' ? ruleset : undefined;
    },
    readQueues: () => new Map([[0, { sequence: entered, queueDropped: 0 } as KernelQueue]]),
    read: () => undefined,
    devices: undefined,
  });
});

afterEach(() => {
  rules.stop();
  vi.useRealTimers();
});

const count = (packets: number) =>
  void (ruleset = JSON.stringify(RECORDED.forward).replaceAll(/"packets":\d+/g, `"packets":${packets}`));
const said = () => protection.conditions.map(({ code, detail }) => `${code}: ${detail}`);

async function looks(times: number): Promise<void> {
  for (let time = 0; time < times; time++) await rules.look();
}

it('all is well while the rules are as they were', async () => {
  await looks(3);
  expect(said()).toEqual([]);
});

it('what failOpen has let pass is the difference of what rules of nft have sent and the queue has had', async () => {
  await looks(2);
  count(100);
  entered = 100;
  await looks(2);
  expect(said()).toEqual([]);
  count(300);
  entered = 240;
  await looks(1);
  expect(said()).toEqual(['queue.fail-open: at least 60 packets passed unseen']);
});

it('a rule of ours that is another one is told of, when two looks have found it, and then is as it is', async () => {
  await looks(2);
  ruleset = ruleset.replace('"meta":{"key":"mark"}},"value":{"&"', '"meta":{"key":"mark"}},"value":{"|"');
  await looks(1);
  expect(said()).toEqual([]);
  await looks(1);
  expect(said()).toEqual([expect.stringMatching(/^rules\.changed: the rules in ipv4 inet tlspin \w+.* were changed$/)]);
  protection.end('rules.changed', '');
  await looks(3);
  expect(said()).toEqual([]);
});

it('an address that is let pass ahead of the queue is told of when two looks have found it, until it is not', async () => {
  await looks(2);
  const accept = [
    { match: { op: '==', left: { payload: { protocol: 'ip', field: 'saddr' } }, right: '192.0.2.7' } },
    { accept: null },
  ];
  const { nftables } = RECORDED.forward as { nftables: { rule?: { chain: string } }[] };
  const at = nftables.findIndex(({ rule }) => rule?.chain === 'queue_forward');
  const whole = ruleset;
  ruleset = JSON.stringify({
    nftables: [...nftables.slice(0, at), { rule: { ...nftables[at]!.rule, expr: accept } }, ...nftables.slice(at)],
  });
  await looks(1);
  expect(said()).toEqual([]);
  await looks(1);
  expect(said()[0]).toMatch(/^rules\.bypassed: queue 0: forwarded IPv4 of port 443 by the rule .*192\.0\.2\.7/);
  ruleset = whole;
  await looks(2);
  expect(protection.conditions.map(({ code }) => code)).not.toContain('rules.bypassed');
});

it('what is printed otherwise than any version known here is not to be read, and ends nothing', async () => {
  await looks(1);
  ruleset = JSON.stringify({ nftables: [{ rule: { family: 'inet', table: 'tlspin', chain: 'queue_forward' } }] });
  await looks(2);
  expect(said()).toEqual([
    expect.stringMatching(/^rules\.unreadable: what the programs print is not understood \(.+\)$/),
  ]);
  ruleset = JSON.stringify(RECORDED.forward);
  await looks(1);
  expect(said()).toEqual([]);
});

it.each([0, 300, 600, 900, 1200, 1500, 1800, 2100])(
  'what is lost %i ms behind a look is told of within five seconds, though programs take their time',
  async (behind) => {
    vi.useFakeTimers();
    sleepsIn = () => new Promise((resolve) => setTimeout(resolve, PROGRAM_MS));
    rules.start();
    await vi.advanceTimersByTimeAsync(6_000 + behind);
    expect(said()).toEqual([]);
    const { nftables } = RECORDED.forward as { nftables: { rule?: object }[] };
    ruleset = JSON.stringify({ nftables: nftables.filter(({ rule }) => rule === undefined) });
    const began = performance.now();
    while (said().length === 0 && performance.now() - began < 5_000) await vi.advanceTimersByTimeAsync(50);
    expect(said()).toEqual(['rules.none: no rule sends packets to queue 0']);
  },
);

/** On a machine that has other work. */
const PROGRAM_MS = 400;
