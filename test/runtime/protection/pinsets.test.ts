import { beforeEach, afterEach, describe, expect, it, vi } from 'vitest';

import type { Policy } from '../../../src/pins/policy.ts';
import { EachSecond } from '../../../src/runtime/protection/each-second.ts';
import { Pinsets } from '../../../src/runtime/protection/pinsets.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { pin, pinset, policy } from '../../support/policy.ts';
import { verdictEvent } from '../../support/verdict-event.ts';

const NOON = Date.UTC(2026, 10, 22, 12);
const SOON = NOON + 10_000;
const PINS = pinset(0).pins;
let inForce: Policy;
let protection: Protection;
let pinsets: Pinsets;
let eachSecond: EachSecond;

beforeEach(() => {
  vi.useFakeTimers({ now: NOON });
  inForce = policy({ pinsets: [pinset(0)] });
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
  protection.know();
  pinsets = new Pinsets({ protection, policy: () => inForce });
  eachSecond = new EachSecond(pinsets, protection);
  eachSecond.start();
});
afterEach(() => {
  eachSecond.stop();
  vi.useRealTimers();
});

const codes = () => protection.conditions.map(({ code, subject }) => `${code} ${subject}`.trim());
const adopt = (...each: Parameters<typeof pinset>[1][]) => {
  inForce = policy({ pinsets: each.map((more, index) => pinset(index, more)) });
  pinsets.look();
};

describe('a pinset that passes its own date while tlspin runs', () => {
  it.each([
    ['report-only', 'pinset.expired pinset-0'],
    ['accept', 'pinset.expired pinset-0'],
    ['deny', 'pinset.expired-denies pinset-0'],
  ] as const)('afterExpiry %s: %s', (afterExpiry, code) => {
    adopt({ expires: SOON, afterExpiry });
    vi.advanceTimersByTime(9_000);
    expect(codes()).toEqual([]);
    vi.advanceTimersByTime(2_000);
    expect(codes()).toEqual([code]);
    adopt({ expires: SOON + 86_400_000, afterExpiry });
    expect(codes()).toEqual([]);
  });

  it('and enforces on takes nothing away', () => {
    adopt({ expires: NOON, afterExpiry: 'enforce' });
    expect(codes()).toEqual([]);
  });
});

describe('pins', () => {
  it('that are all out of date leave nothing that is accepted', () => {
    const pins = [pin('cert-sha1', 'a', { expires: SOON }), pin('cert-sha1', 'b', { notBefore: SOON + 10_000 })];
    adopt({ pins });
    expect(codes()).toEqual([]);
    vi.advanceTimersByTime(11_000);
    expect(codes()).toEqual(['pinset.no-pins pinset-0']);
    vi.advanceTimersByTime(10_000);
    expect(codes()).toEqual([]);
  });

  it('of which one holds are enough', () => {
    adopt({ pins: [...PINS, pin('cert-sha1', 'a', { expires: NOON - 1 })] });
    expect(codes()).toEqual([]);
  });
});

describe('pinsets that only report or learn', () => {
  it('are one condition, by choice', () => {
    adopt({ mode: 'report-only' }, { mode: 'learn' }, { mode: 'learn', then: 'enforce' }, {});
    expect(protection.conditions).toMatchObject([
      { code: 'pinset.report-only', detail: 'pinset-0 (report-only), pinset-1 (learn): what it shows passes' },
    ]);
    expect(protection.state).toBe('degraded');
  });
});

describe('a backup pin', () => {
  const backup = pin('spki-sha256', 'b', { role: 'backup' });
  const accepted = (matched: string | null, action: 'accept' | 'tls-alert' = 'accept') =>
    pinsets.observe([verdictEvent({ action, pinset: 'pinset-0', matched, evidence: 'probed' })]);
  beforeEach(() => adopt({ pins: [...PINS, backup] }));

  it('that a server is accepted by is told of, and for an hour', () => {
    accepted(backup.canonical);
    expect(codes()).toEqual(['pin.backup pinset-0']);
    vi.advanceTimersByTime(3_590_000);
    expect(codes()).toEqual(['pin.backup pinset-0']);
    vi.advanceTimersByTime(20_000);
    expect(codes()).toEqual([]);
  });

  it('is none any more once it is the primary one', () => {
    accepted(backup.canonical);
    adopt({ pins: [{ ...backup, role: 'primary' }] });
    expect(codes()).toEqual([]);
  });

  it('that nobody was accepted by is nothing', () => {
    accepted(PINS[0]!.canonical);
    accepted(null);
    accepted(backup.canonical, 'tls-alert');
    expect(codes()).toEqual([]);
  });
});
