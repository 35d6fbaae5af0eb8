import { beforeEach, describe, expect, it } from 'vitest';

import { ProbeBudget } from '../../src/probe/allowance/budget.ts';

let now: number;
let budget: ProbeBudget;

beforeEach(() => {
  now = 1_000_000;
  budget = new ProbeBudget(100);
});

const v4 = (last: number) => [10, 0, 0, last];
const v6 = (network: number, host: number) => [
  0xfd,
  0,
  0,
  0,
  0,
  0,
  0,
  network,
  0,
  0,
  0,
  0,
  0,
  0,
  host >> 8,
  host & 255,
];

/** How many of a number of probes are allowed, each of them counted. */
function allowed(
  count: number,
  client: number[],
  options: { destination?: string; perClient?: number; answered?: boolean } = {},
): number {
  const { destination = 'd', perClient = 60, answered = false } = options;
  const asker = { destination, client: { address: Uint8Array.from(client), port: 1 } };
  let granted = 0;
  for (let i = 0; i < count; i++) {
    if (!budget.allows(asker, { perDestination: 120, perClient }, now)) break;
    const charge = budget.count(asker, now);
    if (answered) budget.lighten(charge);
    granted++;
  }
  return granted;
}

describe('of a destination', () => {
  it('one client has half, and a second half of what is left', () => {
    expect(allowed(1000, v4(1), { perClient: 1000 })).toBe(60);
    expect(allowed(1000, v4(2), { perClient: 1000 })).toBe(30);
    expect(allowed(1000, v4(3), { perClient: 1000 })).toBe(15);
    now += 60_000;
    expect(allowed(1000, v4(1), { perClient: 1000 })).toBe(60);
  });

  it('the addresses of one /64 have as much as one client, and a reserve for who has hardly asked', () => {
    for (let host = 1; host <= 6; host++) allowed(15, v6(1, host), { perClient: 15 });
    expect(allowed(1, v6(1, 99), { perClient: 15 })).toBe(1);
    let hosts = 100;
    while (allowed(1, v6(1, hosts), { perClient: 1000 }) === 1) hosts++;
    expect(hosts).toBeLessThan(200);
    expect(allowed(5, v6(2, 1))).toBe(5);
    expect(allowed(5, v4(1))).toBe(5);
  });
});

describe('of a client', () => {
  it('an address has so many, over all destinations', () => {
    let granted = 0;
    for (let i = 0; i < 100; i++) granted += allowed(1, v4(1), { destination: `${i}` });
    expect(granted).toBe(60);
    expect(allowed(1, v4(2))).toBe(1);
  });

  it('a /64 has four times as many', () => {
    let granted = 0;
    for (let i = 0; i < 1000; i++) granted += allowed(1, v6(1, i % 10), { destination: `${i}` });
    expect(granted).toBe(240);
    expect(allowed(1, v6(1, 99))).toBe(1);
    for (let i = 100; i < 1000; i++) granted += allowed(1, v6(1, i), { destination: `${i}` });
    expect(granted).toBeLessThan(480);
    expect(allowed(1, v6(2, 1))).toBe(1);
  });
});

it('a probe that was answered counts for a tenth: a hundred names of one server are not too many', () => {
  expect(allowed(100, v4(1), { answered: true })).toBe(100);
  expect(allowed(10_000, v4(1), { answered: true })).toBe(500);
});
