/** One flow's case: which pinsets may still deny it, what is only reported, and that it is ruled once. */
import { describe, expect, it } from 'vitest';

import type { JudgeContext } from '../../src/judge/context.ts';
import { Hearing } from '../../src/judge/hearing.ts';
import { PinsetSnapshot, type Selection } from '../../src/pins/match/snapshot.ts';
import type { CompiledPinset } from '../../src/pins/policy.ts';
import { bank, genuinePin, HOST } from '../support/flows.ts';
import { match, pinset, policy, range, rule } from '../support/policy.ts';

const subject = {
  client: { address: Uint8Array.of(10, 1, 2, 3), port: 51_000 },
  server: { address: Uint8Array.of(198, 51, 100, 7), port: 443 },
};
const byAddress = (more: Partial<CompiledPinset> = {}) =>
  pinset(1, { name: 'by-address', match: match({ addresses: [range('198.51.100.0/24')] }), ...more });

/** Before the client has given its name. */
function hearing(snapshot: object) {
  let ruled = 0;
  const context = { snapshot, subject, dateMs: () => 0 } as unknown as JudgeContext;
  return { hearing: new Hearing(context, () => void ruled++), ruled: () => ruled };
}
const of = (...pinsets: readonly CompiledPinset[]) => {
  const made = hearing(new PinsetSnapshot(policy({ pinsets })));
  made.hearing.select(HOST, null);
  return made;
};

describe('a case', () => {
  it('is ruled once, and its first ruling stays', () => {
    const { hearing: made, ruled } = of(bank());
    expect([made.isRuled, ruled()]).toEqual([false, 0]);
    made.settle('notTls', 'not-tls');
    made.settle('parseError', 'parse-error');
    expect([made.isRuled, ruled(), made.ruling!.reason]).toEqual([true, 1, 'not-tls']);
    made.reopen();
    made.settle('parseError', 'parse-error', 'a.fault');
    expect([ruled(), made.ruling!.reason, made.ruling!.fault]).toEqual([2, 'parse-error', 'a.fault']);
  });

  it('comes to a drop where it ends unfinished and a pinset is concerned', () => {
    expect(of(bank()).hearing.unfinished).toMatchObject({ action: 'drop', reason: 'incomplete' });
    expect(of(bank({ mode: 'report-only' })).hearing.unfinished.action).toBe('accept');
    expect(of().hearing.unfinished.action).toBe('accept');
  });

  it('is of whoever was selected, by the name that was given last', () => {
    const { hearing: made } = of(bank());
    expect(made.holders).toMatchObject([{ pinset: { name: bank().name } }]);
    made.select('other.example', null);
    expect([made.isOfNoPinset, made.holders[0]!.isUnpinned]).toEqual([true, true]);
  });
});

describe('a denial that the client should be able to read', () => {
  const selected = (selection: Partial<Selection> | undefined) => {
    const { hearing: made } = hearing({ select: () => ({ require: [], deny: [], rules: [], ...selection }) });
    if (selection !== undefined) made.select(HOST, null);
    return made;
  };
  const reporting = bank({ mode: 'report-only', deny: [genuinePin] });
  const accepting = { action: 'accept', connmark: null } as const;

  it.each<[string, Partial<Selection> | undefined, boolean]>([
    ['before anything is selected', undefined, false],
    ['of nobody', {}, false],
    ['of a pinset', { require: [bank()] }, true],
    ['of one that only reports', { require: [reporting] }, false],
    ['of one that only learns', { require: [bank({ mode: 'learn' })] }, false],
    ['of one that learns and denies', { require: [bank({ mode: 'learn', deny: [genuinePin] })] }, true],
    ['of a deny list', { deny: [bank()] }, true],
    ['of one that only reports', { deny: [reporting] }, false],
    ['of one of two', { deny: [reporting, bank()] }, true],
    ['of a rule', { rules: [rule(0, { kind: 'pubkey', key: 'x', inverted: false })] }, true],
    [
      'of one that accepts',
      { rules: [rule(0, { kind: 'pubkey', key: 'x', inverted: false }, { verdict: accepting })] },
      false,
    ],
  ])('may come %s: %s', (_, selection, expected) => {
    expect(selected(selection).mayDeny).toBe(expected);
  });

  it('may not come any more behind a ruling', () => {
    const { hearing: made } = of(bank());
    expect(made.mayDeny).toBe(true);
    made.settle('notTls', 'not-tls');
    expect(made.mayDeny).toBe(false);
  });
});

describe('denials', () => {
  const reporting = byAddress({ mode: 'report-only' });

  it('rule where one is in earnest', () => {
    const { hearing: made } = of(bank(), reporting);
    made.settleDenials(() => true, 'min-version');
    expect(made.ruling).toMatchObject({ action: 'tls-alert', reason: 'min-version', pinset: bank().name });
  });

  it('of nobody leave the matter open', () => {
    for (const reason of ['min-version', 'no-certificate'] as const) {
      const { hearing: made } = of(bank());
      made.settleDenials(() => false, reason);
      expect(made.isRuled).toBe(false);
    }
  });

  it('that only report leave it open, and are in its ruling once, with the first', () => {
    const only = of(reporting).hearing;
    only.settleDenials(() => true, 'min-version');
    only.settleDenials(() => true, 'ech');
    expect(only.isRuled).toBe(false);
    only.settleUnpinned();
    expect(only.ruling!.others).toEqual([{ pinset: 'by-address', reason: 'min-version', would: 'tls-alert' }]);
  });

  it('that only report end the matter where nothing else can be shown', () => {
    const { hearing: made } = of(reporting);
    made.settleNoCertificate();
    expect(made.ruling).toMatchObject({ action: 'accept', reason: 'no-certificate', would: 'tls-alert' });
  });

  it('of a pinset that nobody can name yet are none of whoever is selected later', () => {
    const unknown = {
      policy: policy(),
      select: () => ({ require: [], deny: [], rules: [] }),
      couldHostPinsetApply: () => true,
      couldEnforcedHostPinsetApply: () => false,
      hostPinsetAt: () => undefined,
    };
    const { hearing: made } = hearing(unknown);
    made.settleDenials(() => true, 'min-version');
    made.settleUnpinned();
    expect(made.ruling).toMatchObject({ action: 'accept', reason: 'unpinned', mode: 'enforce', would: null });
  });
});
