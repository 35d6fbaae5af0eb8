/**
 * Each state of the judge by itself, on a bench that only listens: what it permits, until when it waits, what its end comes
 * to, and what another configuration makes of it. How states follow each other is for the tests of whole flows.
 */
import { describe, expect, it } from 'vitest';

import { AwaitCertificate } from '../../src/judge/awaited/certificate.ts';
import type { Examined } from '../../src/judge/awaited/examined.ts';
import { AwaitHello } from '../../src/judge/awaited/hello.ts';
import { AwaitPath } from '../../src/judge/awaited/path.ts';
import { AwaitProbe } from '../../src/judge/awaited/probe.ts';
import { AwaitProof } from '../../src/judge/awaited/proof.ts';
import { AwaitSecret } from '../../src/judge/awaited/secret.ts';
import { AwaitServerHello } from '../../src/judge/awaited/server-hello.ts';
import { settleRawPublicKey, shownTo } from '../../src/judge/awaited/shown.ts';
import type { Bench, Permissible, State } from '../../src/judge/awaited/state.ts';
import type { Claim } from '../../src/judge/claim.ts';
import type { JudgeContext } from '../../src/judge/context.ts';
import type { Examination } from '../../src/judge/examination.ts';
import type { Hearing } from '../../src/judge/hearing.ts';
import type { HiddenCertificates } from '../../src/judge/hidden-certificates.ts';
import type { ProbeAnswer } from '../../src/judge/ports.ts';
import { Possession } from '../../src/judge/possession.ts';
import type { Finding } from '../../src/judge/ruling.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import type { Situations } from '../../src/pins/policy.ts';
import { SPKI } from '../support/tls13-bytes.ts';
import { certificate } from '../support/certificates.ts';
import { bank } from '../support/flows.ts';
import { PINNED } from '../support/policy.ts';
import { FAILED, shown } from '../support/tls13-flows.ts';

const POINTS: readonly Permissible[] = [
  'certificate',
  'key-exchange',
  'unsealed',
  'sealed',
  'encrypted-part',
  'encrypted-certificate',
];
const permitted = (state: State) => POINTS.filter((point) => state.permits(point));
const { holdTime, keylogWait } = LIMIT_DEFAULTS;

/** A bench, and what it was told. */
function bench() {
  const told: unknown[] = [];
  const tell =
    (what: string) =>
    (...args: unknown[]) =>
      void told.push([what, ...args]);
  const clock = { now: 0 };
  const possession = new Possession();
  const keylog = { isSealed: false, isTaken: false, isReading: false, lacksSecret: false, giveUp: tell('giveUp') };
  const question = {
    isPending: false,
    patience: 0,
    answer: undefined as 'asked' | ProbeAnswer | undefined,
    ask: tell('ask'),
  };
  const hearing = {
    isRuled: false,
    evidence: 'observed',
    facts: { onCertificate: tell('onCertificate') },
    context: {
      now: () => clock.now,
      snapshot: { policy: { limits: LIMIT_DEFAULTS } },
      count: tell('count'),
      anomaly: tell('anomaly'),
      present: () => 'presented',
    },
    settle: tell('settle'),
    settleIfDecided: tell('settleIfDecided'),
    settleUnpinned: tell('settleUnpinned'),
    rule: (findings: readonly Finding[], _mark: unknown, evidence: unknown, fault: unknown) =>
      void told.push({ ruled: findings.map(worth), evidence, fault }),
  };
  const ways = ['askHello', 'awaitServerHello', 'askServerHello', 'awaitEvidence', 'examine', 'examineAgain'] as const;
  const lent = Object.fromEntries(ways.map((way) => [way, tell(way)]));
  const made = { hearing, possession, question, keylog, ...lent } as unknown as Bench;
  return { bench: made, told, clock, possession, keylog, question, hearing };
}

/** What a finding comes to, and by which setting where it is by one. */
function worth({ verdict, reason, grounds }: Finding): string {
  const by = grounds === null ? '' : ` by ${'setting' in grounds ? grounds.setting : 'evidence'}`;
  return `${verdict.action} ${reason}${by}`;
}

const OVERDUE = [
  ['count', 'holdTime'],
  ['settle', 'overload', 'overload', 'hold-time'],
];

describe('a hello', () => {
  const context = (more: object = {}) =>
    ({
      live: true,
      prober: {},
      snapshot: { mayAskAhead: () => true, policy: { limits: { holdTime: 3_000 } } },
      subject: { server: {} },
      habits: { greets: () => false, awaitsHello: () => false },
      hasRoom: true,
      now: () => 1000,
      ...more,
    }) as unknown as JudgeContext;

  it('waits a fifth of a second where its server may have to be asked', () => {
    const state = new AwaitHello(context());
    expect([state.waiting, state.deadline, permitted(state)]).toEqual([true, 201_000, []]);
    state.onDeadline();
    expect([state.waiting, state.deadline]).toEqual([false, Infinity]);
  });

  it('waits for a second where clients were heard to speak first, and never longer than anything is held', () => {
    const habits = { greets: () => false, awaitsHello: () => true };
    expect(new AwaitHello(context({ habits })).deadline).toBe(1_001_000);
    const snapshot = { mayAskAhead: () => true, policy: { limits: { holdTime: 500 } } };
    expect(new AwaitHello(context({ habits, snapshot })).deadline).toBe(501_000);
  });

  it('waits no longer than any other where many packets wait already', () => {
    const habits = { greets: () => false, awaitsHello: () => true };
    expect(new AwaitHello(context({ habits, hasRoom: false })).deadline).toBe(201_000);
  });

  it('does not wait any more behind what is not TLS', () => {
    const state = new AwaitHello(context());
    state.onPreamble();
    expect(state.waiting).toBe(false);
  });

  it.each([
    ['in a capture', { live: false }],
    ['where nobody can ask', { prober: undefined }],
    ['where no pinset would', { snapshot: { mayAskAhead: () => false } }],
    ['where servers speak first', { habits: { greets: () => true } }],
  ])('does not wait %s', (_, more) => {
    expect(new AwaitHello(context(more)).waiting).toBe(false);
  });
});

describe('a ServerHello', () => {
  it('is waited for with the hello that its server has no connection for yet, for a while', () => {
    const at = bench();
    at.clock.now = 1000;
    const state = new AwaitServerHello(at.bench);
    expect([state.waiting, state.deadline, permitted(state)]).toEqual([false, Infinity, []]);
    Object.assign(at.question, { isPending: true, patience: 5 });
    expect([state.waiting, state.deadline]).toEqual([true, 1005 + holdTime * 1000]);
    state.onDeadline();
    expect([state.waiting, state.deadline, at.told]).toEqual([false, Infinity, []]);
  });

  it('is asked for anew under another configuration', () => {
    const at = bench();
    new AwaitServerHello(at.bench).reenter();
    expect(at.told).toEqual([['askHello']]);
  });
});

it('a Certificate is asked for anew under another configuration', () => {
  const at = bench();
  const state = new AwaitCertificate(at.bench);
  state.onDeadline();
  state.reenter();
  expect([at.told, permitted(state), state.deadline]).toEqual([[['askServerHello']], [], Infinity]);
});

describe('a path', () => {
  it('is waited for as long as anything is, and is asked for anew', () => {
    const at = bench();
    at.clock.now = 1000;
    const examined = {} as Examined;
    const state = new AwaitPath(at.bench, examined, {} as Examination);
    expect([state.deadline, permitted(state)]).toEqual([1000 + holdTime * 1000, []]);
    state.onDeadline();
    state.reenter();
    expect(at.told).toEqual([...OVERDUE, ['examineAgain', examined]]);
  });
});

describe('a secret', () => {
  const awaiting = () => {
    const at = bench();
    return { ...at, state: new AwaitSecret(at.bench, {} as HiddenCertificates, 1000) };
  };

  it('is waited for once a whole encrypted record is there, as long as anything is', () => {
    const { state, keylog, clock, told } = awaiting();
    expect([state.waiting, state.deadline]).toEqual([false, 1000 + holdTime * 1000]);
    keylog.isSealed = true;
    clock.now = 2000;
    state.onSealed();
    expect([state.waiting, state.deadline]).toEqual([true, 2000 + holdTime * 1000]);
    state.onDeadline();
    expect(told).toEqual(OVERDUE);
  });

  it('is waited for from when the client has the ServerHello, and that counts once', () => {
    const { state, clock, told } = awaiting();
    for (const now of [3000, 4000]) {
      clock.now = now;
      state.onTaken();
    }
    expect(state.deadline).toBe(3000 + keylogWait * 1000);
    state.onDeadline();
    expect(told).toEqual([['giveUp'], ['awaitEvidence', 'tls13']]);
  });

  it('is asked for anew under another configuration, and not for longer', () => {
    const { state, told } = awaiting();
    state.reenter();
    expect(told).toEqual([['awaitEvidence', 'tls13', 1000]]);
  });

  it.each<[boolean, boolean, boolean, Permissible[]]>([
    [false, false, false, []],
    [false, true, false, []],
    [true, true, false, ['unsealed']],
    [true, true, true, ['sealed']],
    [false, true, true, ['sealed']],
    [true, false, false, ['encrypted-part']],
  ])(
    'that records are read for (%s), is lacking (%s), and one is whole (%s), permits %j',
    (isReading, lacksSecret, isSealed, expected) => {
      const { state, keylog } = awaiting();
      Object.assign(keylog, { isReading, lacksSecret, isSealed });
      expect(permitted(state)).toEqual(expected);
    },
  );
});

describe('a probe', () => {
  const findings = (action: 'accept' | 'tls-alert') =>
    [{ verdict: { action }, mode: 'enforce', reason: 'probe-failed', grounds: null }] as unknown as Finding[];
  const cases = (failed: Finding[] = findings('tls-alert')) =>
    ({ failed: () => failed, settled: [] }) as unknown as HiddenCertificates;
  const asking = (by: 'tls13' | 'earlyData' | 'resumed', of = cases()) => {
    const at = bench();
    return { ...at, state: new AwaitProbe(at.bench, by, of, 1000) };
  };

  it('is waited for as long as anything is, and as long as its client would', () => {
    const { state, question, told } = asking('tls13');
    question.patience = 7;
    expect([state.deadline, permitted(state)]).toEqual([1007 + holdTime * 1000, []]);
    state.onDeadline();
    expect(told).toEqual(OVERDUE);
  });

  it.each([
    ['tls13', [['awaitEvidence', 'tls13', 1000]]],
    ['resumed', [['awaitEvidence', 'resumed', 1000]]],
    ['earlyData', [['askHello']]],
  ] as const)('for %s is asked for anew', (by, expected) => {
    const { state, told } = asking(by);
    state.reenter();
    expect(told).toEqual(expected);
  });

  it.each([
    ['asked', []],
    [undefined, [{ ruled: ['tls-alert probe-failed'], evidence: 'none', fault: null }]],
    [FAILED, [{ ruled: ['tls-alert probe-failed'], evidence: 'none', fault: 'probe.unreachable.ECONNREFUSED' }]],
  ] as const)('whose answer is %j by then', (answer, expected) => {
    const { state, question, told } = asking('tls13');
    question.answer = answer;
    state.begin();
    expect(told).toEqual([['ask'], ...expected]);
  });

  it('that nobody can be asked for leaves early data to what the server shows, unless that is denied', () => {
    const open = asking('earlyData', cases(findings('accept')));
    open.state.begin();
    expect(open.told).toEqual([['ask'], ['awaitServerHello']]);
    const denied = asking('earlyData');
    denied.state.begin();
    expect(denied.told).toMatchObject([['ask'], { ruled: ['tls-alert probe-failed'] }]);
    const tls13 = asking('tls13', cases(findings('accept')));
    tls13.state.begin();
    expect(tls13.told).toMatchObject([['ask'], { ruled: ['accept probe-failed'] }]);
  });

  it.each([
    ['tls13', true],
    ['resumed', true],
    ['earlyData', false],
  ] as const)('for %s shows a chain, and that is the whole flight: %s', (by, isFlightWhole) => {
    const { state, told, possession } = asking(by);
    state.onAnswer(shown(certificate('leaf')));
    expect(told.at(-1)).toMatchObject(['examine', { evidence: 'probed', by, isFlightWhole }]);
    expect(possession.isVerified).toBe(true);
    const unproven = asking(by);
    unproven.state.onAnswer(shown(certificate('leaf'), { proven: false }));
    expect(unproven.possession.hasFailed).toBe(true);
  });

  it('whose answer is a ruling by itself is not examined', () => {
    const { state, told, hearing } = asking('tls13');
    hearing.isRuled = true;
    state.onAnswer(shown(certificate('leaf')));
    expect(told.map((each) => (each as string[])[0])).toEqual(['onCertificate']);
  });
});

describe('a proof', () => {
  const pinset = bank();
  const claim = (more: Partial<Claim> = {}): Claim => ({
    pinset,
    mode: 'enforce',
    reason: 'pin-match',
    verdict: pinset.onMatch,
    matched: 'pin',
    ...more,
  });
  const mismatch = { reason: 'pin-mismatch', verdict: pinset.onMismatch, matched: null } as const;

  function awaiting(claims: readonly Claim[], more: object = {}) {
    const at = bench();
    const examined = { evidence: 'observed', cases: undefined, isFlightWhole: true, ...more } as unknown as Examined;
    const examination = { claims: () => claims, ruleMark: null, fault: 'x509.budget.turns' } as unknown as Examination;
    at.possession.keyExchange = 'ecdhe';
    return { ...at, examined, state: new AwaitProof(at.bench, examined, examination) };
  }
  const proven = (at: ReturnType<typeof awaiting>, is = true) => {
    at.possession.settle(is);
    at.state.conclude();
    return at.told;
  };

  it('that holds makes a match evidence, once the flight is whole', () => {
    expect(proven(awaiting([claim()]))).toEqual([
      { ruled: ['accept pin-match by evidence'], evidence: 'observed', fault: null },
    ]);
    expect(proven(awaiting([claim()], { isFlightWhole: false }))).toEqual([]);
  });

  it('that is awaited is waited for, unless something is denied without it', () => {
    const awaited = awaiting([claim()]);
    awaited.possession.awaitFor([pinset]);
    awaited.state.conclude();
    expect(awaited.told).toEqual([]);
    const denied = awaiting([claim(), claim(mismatch)], { isFlightWhole: false });
    denied.possession.awaitFor([pinset]);
    denied.state.conclude();
    expect(denied.told).toMatchObject([{ ruled: ['tls-alert pin-match', 'tls-alert pin-mismatch'] }]);
    const settled = [{ verdict: { action: 'drop' }, mode: 'enforce', reason: 'no-certificate', grounds: null }];
    expect(proven(awaiting([claim()], { isFlightWhole: false, cases: { settled } }))).toMatchObject([
      { ruled: ['accept pin-match by evidence', 'drop no-certificate'] },
    ]);
  });

  it('that fails makes a match none, and is told of where only that is wanted', () => {
    expect(proven(awaiting([claim()]), false)).toMatchObject([{ ruled: ['tls-alert no-proof'] }]);
    const { checks } = PINNED;
    const reporting = bank({
      name: 'told',
      situations: { ...PINNED, checks: { ...checks, proofOfPossession: 'report' } },
    });
    const reported = claim({ pinset: reporting, verdict: reporting.onMatch });
    expect(proven(awaiting([reported]), false)).toMatchObject([
      ['anomaly', 'tls.proof.failed', 'pinset told'],
      { ruled: ['accept pin-match by evidence'] },
    ]);
    expect(proven(awaiting([reported]))).toMatchObject([{ ruled: ['accept pin-match by evidence'] }]);
  });

  it('is nothing to what is ruled, and where nobody is to be satisfied', () => {
    const ruled = awaiting([claim()]);
    ruled.hearing.isRuled = true;
    expect(proven(ruled)).toEqual([]);
    expect(proven(awaiting([]))).toEqual([['settleUnpinned', null]]);
  });

  it('says what there was not enough of, where something was not found for that', () => {
    const short = awaiting([claim({ ...mismatch, reason: 'unexaminable' })]);
    expect(proven(short)).toMatchObject([
      { ruled: ['tls-alert unexaminable'], evidence: 'observed', fault: 'x509.budget.turns' },
    ]);
    expect(proven(awaiting([claim(mismatch)]))).toMatchObject([
      { ruled: ['tls-alert pin-mismatch'], evidence: 'observed', fault: null },
    ]);
  });

  it.each<[string, Partial<Claim>, string]>([
    ['whoever matched no pin', { matched: null }, 'tls-alert pin-match'],
    ['whoever matched one that does not count', { ...mismatch, matched: 'pin' }, 'tls-alert pin-mismatch'],
    ['nobody’s', { pinset: null }, 'drop pin-match'],
  ])('is no ground for %s', (_, more, expected) => {
    expect(proven(awaiting([claim(more)]))).toMatchObject([{ ruled: [expected] }]);
  });

  it('is not what a setting is that accepts', () => {
    const lenient = bank({ onMismatch: { action: 'accept', connmark: null } });
    for (const matched of [null, 'pin']) {
      const of = { pinset: lenient, reason: 'pin-mismatch', verdict: lenient.onMismatch, matched } as const;
      expect(proven(awaiting([claim(of)]))).toMatchObject([{ ruled: ['accept pin-mismatch by onMismatch'] }]);
    }
    const over = bank({ afterExpiry: 'accept' });
    const accepted = claim({
      pinset: over,
      reason: 'expired-pinset',
      verdict: { action: 'accept', connmark: null },
      matched: null,
    });
    expect(proven(awaiting([accepted]))).toMatchObject([{ ruled: ['accept expired-pinset by afterExpiry'] }]);
  });

  it.each<['observed' | 'decrypted' | 'probed', boolean, Permissible[]]>([
    ['observed', false, ['certificate', 'key-exchange']],
    ['observed', true, ['certificate']],
    ['decrypted', false, ['encrypted-certificate']],
    ['decrypted', true, ['encrypted-certificate']],
    ['probed', false, []],
  ])('of what was %s, awaited: %s, permits %j', (evidence, isAwaited, expected) => {
    const at = awaiting([claim()], { evidence });
    if (isAwaited) at.possession.awaitFor([pinset]);
    expect(permitted(at.state)).toEqual(expected);
  });

  it('is asked for anew of the same chains', () => {
    const { state, told, examined } = awaiting([claim()]);
    state.reenter();
    expect(told).toEqual([['examineAgain', examined]]);
  });
});

describe('what is shown from elsewhere', () => {
  const chain = { chain: [certificate('leaf')], isRawPublicKey: false };
  const raw = { chain: [new Uint8Array(SPKI)], isRawPublicKey: true };

  it.each([
    ['a chain', [chain], ['onCertificate']],
    ['a key', [raw], ['settleIfDecided']],
    ['a chain, and a key to others', [chain, raw], ['onCertificate', 'settleIfDecided']],
    ['a key, and a chain to others', [raw, chain], ['settleIfDecided']],
  ])('%s', (_, all, expected) => {
    const at = bench();
    const presented = shownTo(at.hearing as unknown as Hearing, all, 'probed');
    expect(at.told.map((told) => (told as string[])[0])).toEqual(expected);
    expect(presented.map(([first]) => (first as unknown) === 'presented')).toEqual(
      all.map((each) => !each.isRawPublicKey),
    );
  });

  it('as a key alone is decided by its situation, unless pins may be on keys', () => {
    const at = bench();
    settleRawPublicKey(at.hearing as unknown as Hearing);
    const [[, key, of, reason]] = at.told as [[string, string, (situations: Situations) => string, string]];
    const says = (rawPublicKey: Situations['rawPublicKey']) => of({ ...PINNED, rawPublicKey });
    expect([key, reason, says('pin'), says('accept'), says('deny')]).toEqual([
      'rawPublicKey',
      'raw-public-key',
      'hold',
      'accept',
      'deny',
    ]);
    at.hearing.isRuled = true;
    settleRawPublicKey(at.hearing as unknown as Hearing);
    expect(at.told).toHaveLength(1);
  });
});
