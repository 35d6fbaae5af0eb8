/** What a finding that accepts may rest on, and that it denies without: nothing is accepted by being forgotten. */
import { describe, expect, it } from 'vitest';

import { ACCEPT } from '../../src/judge/claim.ts';
import { Allowed, type AllowableKey, NotPinned, Satisfied } from '../../src/judge/grounds.ts';
import { Possession } from '../../src/judge/possession.ts';
import { Finding, rule } from '../../src/judge/ruling.ts';
import { SessionMemory } from '../../src/judge/sessions.ts';
import { bank, bankWith } from '../support/flows.ts';
import { PINNED, UNPINNED } from '../support/policy.ts';

const claim = (pinset: ReturnType<typeof bank> | null, mode: 'enforce' | 'report-only' = 'enforce') =>
  ({ pinset, mode, reason: 'pin-match', verdict: ACCEPT, matched: null }) as const;
const actionOf = (finding: Finding) => rule([finding], 'none').action;

describe('a claim that accepts', () => {
  it('denies without grounds, as its pinset denies', () => {
    expect(actionOf(Finding.of(claim(bank()), null))).toBe('tls-alert');
    expect(actionOf(Finding.of(claim(bank({ onMismatch: { action: 'reset', connmark: null } })), null))).toBe('reset');
  });

  it('is dropped where its pinset would accept, and where there is none', () => {
    expect(actionOf(Finding.of(claim(bank({ onMismatch: ACCEPT })), null))).toBe('drop');
    expect(actionOf(Finding.of(claim(null), null))).toBe('drop');
  });

  it('that only reports needs none', () => {
    expect(rule([Finding.of(claim(bank(), 'report-only'), null)], 'none')).toMatchObject({
      action: 'accept',
      would: 'accept',
    });
  });

  it('accepts with some, and the ruling names the setting where that is what it rests on', () => {
    const allowed = Allowed.bySituation(bankWith({ noSni: 'accept' }).situations, 'noSni');
    expect(rule([Finding.of(claim(bank()), allowed)], 'none')).toMatchObject({ action: 'accept', allowedBy: 'noSni' });
    const satisfied = Satisfied.byChain(verified(), bank(), 'observed');
    expect(rule([Finding.of(claim(bank()), satisfied)], 'observed')).toMatchObject({
      action: 'accept',
      allowedBy: null,
    });
  });
});

function verified(): Possession {
  const possession = new Possession();
  possession.awaitFor([bank()]);
  possession.settle(true);
  return possession;
}

describe('grounds', () => {
  it('are no chain whose proof is awaited, has failed, or was never there', () => {
    const possession = new Possession();
    expect(Satisfied.byChain(possession, bank(), 'observed')).toBeNull();
    possession.awaitFor([bank()]);
    expect(Satisfied.byChain(possession, bank(), 'observed')).toBeNull();
    possession.settle(false);
    expect(Satisfied.byChain(possession, bank(), 'observed')).toBeNull();
    possession.settle(true);
    expect(Satisfied.byChain(possession, bank(), 'observed')).toMatchObject({ by: 'observed' });
    for (const evidence of ['none', 'resumed'] as const) {
      expect(Satisfied.byChain(possession, bank(), evidence)).toBeNull();
    }
  });

  it('are no chain while its proof is awaited for another’s sake, and one without it where it is not wanted', () => {
    const lenient = bankWith({ checks: { ...PINNED.checks, proofOfPossession: 'off' } });
    const possession = new Possession();
    expect(Satisfied.byChain(possession, lenient, 'observed')).not.toBeNull();
    possession.awaitFor([bank(), lenient]);
    expect(Satisfied.byChain(possession, lenient, 'observed')).toBeNull();
  });

  it('are no session that is not remembered', () => {
    const [client, server] = [1, 2].map((n) => ({ address: Uint8Array.of(192, 0, 2, n), port: 443 }));
    const subject = { client: client!, server: server! };
    const memory = new SessionMemory(1);
    const ticket = Uint8Array.of(7);
    expect(Satisfied.bySession(memory.bound(subject, ticket, ['bank'], { now: 0, dateMs: 0 }))).toBeNull();
    memory.remember(subject, ticket, ['bank'], { until: 1000, dateMs: Infinity });
    expect(Satisfied.bySession(memory.bound(subject, ticket, ['bank'], { now: 0, dateMs: 0 }))).toMatchObject({
      by: 'resumed',
    });
  });

  it('are no setting but one that says accept', () => {
    const keys = Object.keys(PINNED).filter((key) => key !== 'checks' && key !== 'incomplete') as AllowableKey[];
    for (const key of keys) {
      const setting = PINNED[key] === 'accept' ? key : null;
      expect(Allowed.bySituation(PINNED, key)?.setting ?? null).toBe(setting);
      expect(Allowed.bySituation(UNPINNED, key)).toMatchObject({ setting: key });
    }
    expect(Allowed.byFailedProbe({ ...PINNED, tls13: 'probe' })).toBeNull();
    expect(Allowed.byFailedProbe({ ...PINNED, tls13: 'probe-else-accept' })).toMatchObject({ setting: 'tls13' });
    expect(Allowed.byVerdict(bank().onMismatch, 'onMismatch')).toBeNull();
    expect(Allowed.byVerdict(ACCEPT, 'onDeny')).toMatchObject({ setting: 'onDeny' });
    expect(Allowed.byExpiry(bank())).toBeNull();
    expect(Allowed.byExpiry(bank({ afterExpiry: 'accept' }))).toMatchObject({ setting: 'afterExpiry' });
  });

  it('are no flow that a pinset has a say in', () => {
    expect(NotPinned.bySelection({ require: [bank()], deny: [], rules: [] })).toBeNull();
    expect(NotPinned.bySelection({ require: [], deny: [bank()], rules: [] })).not.toBeNull();
    expect(NotPinned.byHolder({ isUnpinned: false })).toBeNull();
    expect(NotPinned.byHolder({ isUnpinned: true })).not.toBeNull();
  });
});
