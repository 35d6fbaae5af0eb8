/** How findings of several pinsets come to one ruling, and what is said of the others. */
import { describe, expect, it } from 'vitest';

import { ACCEPT, type Claim, denies, effective } from '../../src/judge/claim.ts';
import { Allowed, NotPinned } from '../../src/judge/grounds.ts';
import { Possession } from '../../src/judge/possession.ts';
import { Finding, isOfNoPinset, rule, withReported } from '../../src/judge/ruling.ts';
import type { CompiledPinset } from '../../src/pins/policy.ts';
import { bank, bankWith } from '../support/flows.ts';
import { PINNED, pinset, UNPINNED } from '../support/policy.ts';

const MARK = { value: 0x10, mask: 0x10 };
const [first, second] = [bank({ name: 'first' }), pinset(1, { name: 'second' })];
const NOBODY = NotPinned.byHolder({ isUnpinned: true })!;
const claim = (
  pinset: CompiledPinset | null,
  action: Claim['verdict']['action'],
  more: Partial<Claim> = {},
): Claim => ({
  pinset,
  mode: 'enforce',
  reason: 'pin-mismatch',
  verdict: { action, connmark: null },
  matched: null,
  ...more,
});
const finding = (...[pinset, action, more]: Parameters<typeof claim>) => {
  const made = claim(pinset, action, more);
  return Finding.of(made, action === 'accept' ? (Allowed.bySituation(UNPINNED, 'ech') ?? NOBODY) : null);
};

describe('a claim', () => {
  it.each([
    ['enforce', 'pin-mismatch', true],
    ['report-only', 'pin-mismatch', false],
    ['learn', 'pin-mismatch', false],
    ['learn', 'deny-pin', true],
    ['report-only', 'deny-pin', false],
  ] as const)('in %s, for %s, denies in earnest: %s', (mode, reason, inEarnest) => {
    expect(denies(claim(first, 'drop', { mode, reason }))).toBe(inEarnest);
    expect(effective(claim(first, 'drop', { mode, reason }))).toBe(inEarnest ? 'drop' : 'accept');
    expect(denies(claim(first, 'accept', { mode, reason }))).toBe(false);
  });
});

describe('a ruling', () => {
  it('is the worst of all findings, whatever their order', () => {
    const order = ['accept', 'drop', 'reset', 'tls-alert'] as const;
    for (const [at, better] of order.entries()) {
      for (const worse of order.slice(at + 1)) {
        for (const pair of [
          [finding(first, better), finding(second, worse)],
          [finding(first, worse), finding(second, better)],
        ]) {
          expect(rule(pair, 'observed').action).toBe(worse);
        }
      }
    }
  });

  it('is of the first among equals, and names the others with what they would', () => {
    const ruling = rule([finding(first, 'reset'), finding(second, 'reset', { reason: 'no-proof' })], 'observed');
    expect(ruling).toMatchObject({ pinset: 'first', would: null, mode: 'enforce', evidence: 'observed' });
    expect(ruling.others).toEqual([{ pinset: 'second', reason: 'no-proof', would: 'reset' }]);
    const alone = rule([finding(first, 'reset'), finding(null, 'accept')], 'observed');
    expect(alone.others).toEqual([]);
  });

  it('that accepts is of one that enforces rather than of one that only reports', () => {
    const reported = finding(first, 'drop', { mode: 'report-only' });
    const ruling = rule([reported, finding(second, 'accept', { reason: 'pin-match' })], 'observed');
    expect(ruling).toMatchObject({ action: 'accept', pinset: 'second', would: null, allowedBy: 'ech' });
    expect(ruling.others).toMatchObject([{ pinset: 'first', would: 'drop' }]);
  });

  it('that only reports accepts, says what it would, writes no bits, and rests on no setting', () => {
    const verdict = { action: 'drop', connmark: MARK } as const;
    expect(rule([finding(first, 'drop', { mode: 'report-only', verdict })], 'observed')).toMatchObject({
      action: 'accept',
      would: 'drop',
      connmark: null,
      allowedBy: null,
    });
    expect(rule([finding(first, 'drop', { verdict })], 'observed')).toMatchObject({ action: 'drop', connmark: MARK });
    const accepting = finding(first, 'accept', { mode: 'report-only', verdict: ACCEPT });
    expect(rule([accepting], 'observed')).toMatchObject({ would: 'accept', allowedBy: null });
  });
});

describe('what was reported earlier', () => {
  const earlier = finding(first, 'drop', { mode: 'report-only', reason: 'ech' });

  it('stands for its pinset, unless that denies in earnest by now', () => {
    const later = finding(first, 'accept', { mode: 'report-only', reason: 'pin-match' });
    expect(withReported([later], [earlier])).toEqual([earlier]);
    const denial = finding(first, 'drop');
    expect(withReported([denial], [earlier])).toEqual([denial]);
  });

  it('is said beside the findings of others', () => {
    const other = finding(second, 'accept');
    expect(withReported([other], [earlier])).toEqual([other, earlier]);
    expect(withReported([other], [])).toEqual([other]);
  });
});

describe('a flow of no pinset', () => {
  const ruled = rule([Finding.of(claim(null, 'accept', { reason: 'unpinned' }), NOBODY)], 'none');

  it('is accepted, and no pinset would have it otherwise', () => {
    expect(isOfNoPinset(ruled)).toBe(true);
    expect(isOfNoPinset({ ...ruled, action: 'drop' })).toBe(false);
    expect(isOfNoPinset({ ...ruled, pinset: 'first' })).toBe(false);
    expect(isOfNoPinset({ ...ruled, would: 'drop' })).toBe(false);
    expect(isOfNoPinset({ ...ruled, others: [{ pinset: 'first', reason: 'ech', would: 'drop' }] })).toBe(false);
  });
});

describe('the proof of a key', () => {
  const wanting = (proofOfPossession: 'require' | 'report' | 'off') =>
    bankWith({ checks: { ...PINNED.checks, proofOfPossession } });
  const failed = () => {
    const possession = new Possession();
    possession.settle(false);
    return possession;
  };
  const matched = (pinset: CompiledPinset) => claim(pinset, 'accept', { reason: 'pin-match', verdict: pinset.onMatch });

  it('that failed makes a match none, for whoever requires it', () => {
    expect(failed().applyTo(matched(wanting('require')))).toMatchObject({
      reason: 'no-proof',
      verdict: { action: 'tls-alert' },
    });
    for (const proof of ['report', 'off'] as const) {
      expect(failed().applyTo(matched(wanting(proof)))).toMatchObject({ reason: 'pin-match' });
    }
    expect(new Possession().applyTo(matched(wanting('require')))).toMatchObject({ reason: 'pin-match' });
    const mismatch = claim(wanting('require'), 'tls-alert');
    expect(failed().applyTo(mismatch)).toBe(mismatch);
    const nobody = claim(null, 'accept');
    expect(failed().applyTo(nobody)).toBe(nobody);
  });

  it('is awaited where a pinset wants it and the key exchange signs', () => {
    const awaited = (keyExchange: Possession['keyExchange'], ...require: CompiledPinset[]) => {
      const possession = new Possession();
      possession.keyExchange = keyExchange;
      possession.awaitFor(require);
      return possession.isAwaited;
    };
    expect(awaited('unknown', wanting('off'), wanting('report'))).toBe(true);
    expect(awaited('unknown', wanting('off'))).toBe(false);
    expect(awaited('static', wanting('require'))).toBe(false);
  });

  it('is shown by a signature, or by a key exchange that only the holder of the key gets through', () => {
    const possession = new Possession();
    expect(possession.isShown).toBe(false);
    possession.keyExchange = 'static';
    expect([possession.isShown, possession.isVerified]).toEqual([true, false]);
    possession.settle(false);
    expect([possession.isShown, possession.hasFailed]).toEqual([false, true]);
    possession.settle(true);
    expect([possession.isShown, possession.isVerified, possession.hasFailed]).toEqual([true, true, false]);
    // What has come is not waited for.
    possession.giveUp();
    expect(possession.isVerified).toBe(true);
  });

  it('that was awaited and does not come has failed', () => {
    const possession = new Possession();
    possession.awaitFor([wanting('require')]);
    expect(possession.suffices('off')).toBe(false);
    possession.giveUp();
    expect([possession.hasFailed, possession.suffices('require'), possession.suffices('report')]).toEqual([
      true,
      false,
      true,
    ]);
    possession.forget();
    possession.giveUp();
    expect(possession.hasFailed).toBe(false);
  });
});
