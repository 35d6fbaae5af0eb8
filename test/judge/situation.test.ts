/** What a situation comes to: whose settings apply to a flow, and that none of a pinned flow's accepts by itself. */
import { describe, expect, it } from 'vitest';

import {
  applyOpenSituation,
  applySituation,
  denyWhere,
  type Holder,
  holdersOf,
  isExpired,
  modeAt,
  type OpenDecision,
} from '../../src/judge/situation.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { CompiledPinset, CompiledVerdict, Policy } from '../../src/pins/policy.ts';
import { bank, bankWith, HOST } from '../support/flows.ts';
import { match, PINNED, pinset, policy, range, UNPINNED } from '../support/policy.ts';

const DENY: CompiledVerdict = { action: 'tls-alert', connmark: null };
const subject = {
  client: { address: Uint8Array.of(10, 1, 2, 3), port: 51_000 },
  server: { address: Uint8Array.of(198, 51, 100, 7), port: 443 },
};
const address = (more: Partial<CompiledPinset> = {}) =>
  pinset(1, { match: match({ addresses: [range('198.51.100.0/24')] }), ...more });
const holders = (fields: Partial<Policy>, name?: string, nowMs = 0) => {
  const snapshot = new PinsetSnapshot(policy(fields));
  return holdersOf(snapshot, subject, name === undefined ? undefined : snapshot.select(subject, name), nowMs);
};
/** Of a pinset, or of whoever is not pinned. */
const holder = (more: Partial<Holder> = {}): Holder => ({
  pinset: bank(),
  mode: 'enforce',
  situations: PINNED,
  onMismatch: DENY,
  isUnpinned: false,
  ...more,
});
const unpinned = holder({ pinset: null, situations: UNPINNED, isUnpinned: true });

describe('holders', () => {
  it('are the pinsets that are selected, each with its own settings', () => {
    const [first, second, ...rest] = holders({ pinsets: [bankWith({ notTls: 'accept' }), address()] }, HOST);
    expect([first, second].map((each) => each!.pinset!.name).sort()).toEqual(['pinset-0', 'pinset-1']);
    expect(rest).toEqual([]);
    for (const each of [first, second])
      expect(each).toMatchObject({ isUnpinned: false, deniesAll: false, mode: 'enforce' });
  });

  it('are nobody’s where a name selects none, and then the policy’s settings for what is not pinned apply', () => {
    expect(holders({ pinsets: [bank()] }, 'www.other.example')).toMatchObject([
      { pinset: null, isUnpinned: true, mode: 'enforce', situations: UNPINNED },
    ]);
    expect(holders({})).toMatchObject([{ pinset: null, isUnpinned: true }]);
  });

  it('are whoever a name might select, while there is none: as strict as the strictest of them', () => {
    const mayBe = { pinset: null, isUnpinned: false, situations: PINNED };
    expect(holders({ pinsets: [bank()] })).toMatchObject([{ ...mayBe, mode: 'enforce', mayBe: { name: 'pinset-0' } }]);
    expect(holders({ pinsets: [bank({ mode: 'report-only' })] })).toMatchObject([{ ...mayBe, mode: 'report-only' }]);
    const both = holders({ pinsets: [bank(), address()] });
    expect(both.map((each) => each.pinset?.name ?? null).sort()).toEqual([null, 'pinset-1'].sort());
  });

  it('past their date are what they are to be then', () => {
    const at = (afterExpiry: CompiledPinset['afterExpiry'], nowMs: number) =>
      holders({ pinsets: [bank({ expires: 1000, afterExpiry })] }, HOST, nowMs)[0]!;
    expect(at('deny', 999)).toMatchObject({ deniesAll: false, mode: 'enforce', onMismatch: DENY });
    expect(at('deny', 1000)).toMatchObject({ deniesAll: true, mode: 'enforce', onMismatch: DENY });
    expect(at('report-only', 999)).toMatchObject({ deniesAll: false, mode: 'enforce' });
    expect(at('report-only', 1000)).toMatchObject({ deniesAll: false, mode: 'report-only' });
    expect(at('accept', 999)).toMatchObject({ deniesAll: false, onMismatch: DENY });
    expect(at('accept', 1000)).toMatchObject({ deniesAll: false, onMismatch: { action: 'accept' } });
  });
});

it('a pinset without a date never ends', () => {
  expect(isExpired(bank(), Infinity)).toBe(false);
  expect(modeAt(bank({ mode: 'learn', afterExpiry: 'report-only' }), Infinity)).toBe('learn');
  expect(modeAt(bank({ mode: 'learn', expires: 5, afterExpiry: 'report-only' }), 5)).toBe('report-only');
  expect(modeAt(bank({ mode: 'learn', expires: 5, afterExpiry: 'deny' }), 5)).toBe('learn');
});

describe('a situation', () => {
  const of = (...all: Holder[]) =>
    applySituation(all, 'notTls', 'not-tls').map(({ verdict: { action }, reason, pinset: by, grounds }) => [
      action,
      reason,
      by?.name ?? null,
      grounds !== null,
    ]);

  it('is decided by each holder as it says', () => {
    const lenient = holder({ situations: { ...PINNED, notTls: 'accept' } });
    expect(of(holder(), lenient, unpinned)).toEqual([
      ['tls-alert', 'not-tls', 'pinset-0', false],
      ['accept', 'not-tls', 'pinset-0', true],
      ['accept', 'not-tls', null, true],
    ]);
  });

  it('that accepts rests on its setting, or on the one for a mismatch, where it may not accept by itself', () => {
    const accepting = { ...PINNED, notTls: 'accept', incomplete: 'accept' } as const;
    const [found] = applySituation([holder({ situations: accepting })], 'notTls', 'not-tls');
    expect(found).toMatchObject({ verdict: { action: 'accept' }, grounds: { setting: 'notTls' } });
    const lenient = holder({ situations: accepting, onMismatch: { action: 'accept', connmark: null } });
    const [unfinished] = applySituation([lenient], 'incomplete', 'incomplete');
    expect(unfinished).toMatchObject({ verdict: { action: 'accept' }, grounds: { setting: 'onMismatch' } });
  });

  it('denies what is not pinned where the policy says so of that', () => {
    const strict = { ...unpinned, situations: { ...UNPINNED, notTls: 'deny' } } as const;
    expect(of(strict)).toEqual([['tls-alert', 'not-tls', null, false]]);
  });

  it('denies whatever it says where a pinset is past its date, or nothing was shown', () => {
    const lenient = holder({ situations: { ...PINNED, notTls: 'accept', incomplete: 'accept' } });
    expect(of({ ...lenient, deniesAll: true })).toEqual([['tls-alert', 'expired-pinset', 'pinset-0', false]]);
    expect(applySituation([lenient], 'incomplete', 'incomplete')).toMatchObject([{ verdict: DENY, grounds: null }]);
    expect(applySituation([unpinned], 'incomplete', 'incomplete')).toMatchObject([{ verdict: { action: 'accept' } }]);
  });

  it('of a pinset that is not known yet names one that may be meant', () => {
    expect(of(holder({ pinset: null, mayBe: bank() }))).toEqual([['tls-alert', 'not-tls', 'pinset-0', false]]);
    expect(of(holder({ pinset: null }))).toEqual([['tls-alert', 'not-tls', null, false]]);
  });
});

describe('a situation that may leave the matter open', () => {
  const of = (decisions: readonly OpenDecision[], all: readonly Holder[]) => {
    const left = [...decisions];
    const { findings, reported } = applyOpenSituation(all, 'ech', () => left.shift()!, 'ech');
    return [findings?.map(({ verdict: { action } }) => action), reported.map(({ mode }) => mode)];
  };
  const accepting = holder({ situations: { ...PINNED, ech: 'accept' } });
  const reporting = holder({ mode: 'report-only' });

  it('is decided by one holder that denies, and by all that accept', () => {
    expect(of(['deny', 'hold'], [holder(), holder()])).toEqual([['tls-alert'], []]);
    expect(of(['accept', 'deny'], [accepting, holder()])).toEqual([['tls-alert'], []]);
    expect(of(['accept', 'accept'], [accepting, accepting])).toEqual([['accept', 'accept'], []]);
    expect(of(['accept', 'hold'], [accepting, holder()])).toEqual([undefined, []]);
    expect(of(['outer-name'], [holder()])).toEqual([undefined, []]);
  });

  it('is reported of those that only report', () => {
    expect(of(['deny'], [reporting])).toEqual([undefined, ['report-only']]);
    expect(of(['deny', 'deny'], [reporting, holder()])).toEqual([['tls-alert', 'tls-alert'], []]);
  });

  it('is not reported of one that is not known yet: which it is shows later', () => {
    expect(of(['deny'], [holder({ pinset: null, mode: 'report-only', mayBe: bank() })])).toEqual([undefined, []]);
  });
});

it('a check that fails denies for those whose it is, and for nobody where nothing is pinned', () => {
  const strict = holder({ situations: { ...PINNED, checks: { ...PINNED.checks, minVersion: 0x0304 } } });
  const denied = denyWhere([strict, holder(), unpinned], ({ checks }) => checks.minVersion >= 0x0304, 'min-version');
  expect(denied).toMatchObject([{ verdict: DENY, reason: 'min-version', grounds: null }]);
  expect(denyWhere([unpinned], () => true, 'no-certificate')).toMatchObject([{ verdict: { action: 'accept' } }]);
  const lenient = holder({ situations: { ...PINNED, notTls: 'accept' } });
  expect(denyWhere([lenient], () => true, 'no-certificate')).toMatchObject([{ verdict: DENY }]);
});
