/** What each way to evidence comes to before there is any, where none can be had, and where it refutes. */
import { describe, expect, it } from 'vitest';

import { hiddenInResumption, hiddenInTls13 } from '../../src/judge/hidden-certificates.ts';
import { SessionMemory } from '../../src/judge/sessions.ts';
import type { Holder } from '../../src/judge/situation.ts';
import type { HiddenCertificate, Situations } from '../../src/pins/policy.ts';
import { pinset, PINNED } from '../support/policy.ts';

const holder = (situations: Partial<Situations>, more: Partial<Holder> = {}): Holder => {
  const made = pinset(0, { situations: { ...PINNED, ...situations } });
  const { mode, onMismatch } = made;
  return { pinset: made, mode, situations: made.situations, onMismatch, isUnpinned: false, ...more };
};
const WAYS = ['accept', 'deny', 'probe', 'probe-else-accept', 'keylog', 'keylog-else-probe'] as const;
const hidden = (...all: readonly HiddenCertificate[]) => hiddenInTls13(all.map((tls13) => holder({ tls13 })));
const said = (cases: { settled: readonly { verdict: { action: string }; reason: string }[] }) =>
  cases.settled.map(({ verdict, reason }) => `${verdict.action} ${reason}`);
/** Of each way in turn. */
const of = <T>(ask: (cases: ReturnType<typeof hidden>) => T) => WAYS.map((way) => ask(hidden(way)));

describe('evidence for TLS 1.3', () => {
  it('is asked for where nothing is decided without it', () => {
    expect(of((cases) => cases.isOpen)).toEqual([false, false, true, true, true, true]);
    expect(of((cases) => cases.wantsProbe)).toEqual([false, false, true, true, false, false]);
    expect(of((cases) => cases.wantsKeylog)).toEqual([false, false, false, false, true, true]);
    const denied = 'tls-alert no-certificate';
    expect(of(said)).toEqual([['accept no-certificate'], [denied], [], [], [], []]);
  });

  it('is asked of everybody who is open', () => {
    expect([hidden('deny', 'probe').wantsProbe, hidden('deny', 'probe').wantsKeylog]).toEqual([true, false]);
    expect([hidden('probe', 'keylog').wantsProbe, hidden('probe', 'keylog').wantsKeylog]).toEqual([true, true]);
  });

  it('that no secret opens leaves it to a probe, where that was wanted', () => {
    const left = (way: HiddenCertificate) => hidden(way).withoutKeylog('keylog-missing');
    expect(WAYS.map((way) => left(way).isOpen)).toEqual([false, false, true, true, false, true]);
    expect([said(left('keylog')), left('keylog-else-probe').wantsProbe]).toEqual([['tls-alert keylog-missing'], true]);
  });

  it('that a secret refutes leaves nothing to a probe', () => {
    const refuted = (way: HiddenCertificate) => said(hidden(way).refuted('keylog-missing'));
    expect(WAYS.map(refuted)).toEqual([
      ['accept no-certificate'],
      ['tls-alert no-certificate'],
      [],
      [],
      ['tls-alert keylog-missing'],
      ['tls-alert keylog-missing'],
    ]);
  });

  it('that cannot be had denies, but where the configuration says so', () => {
    const failed = (way: HiddenCertificate, more: Partial<Holder> = {}) =>
      hiddenInTls13([holder({ tls13: way }, more)])
        .failed('probe-failed')
        .map(({ verdict }) => verdict.action);
    expect(WAYS.map((way) => failed(way))).toEqual([[], [], ['tls-alert'], ['accept'], ['tls-alert'], ['tls-alert']]);
    expect(failed('probe', { mode: 'report-only' })).toEqual(['tls-alert']);
    expect(
      hidden('probe')
        .failed()
        .map(({ reason }) => reason),
    ).toEqual(['no-certificate']);
  });

  it('is not asked for by whoever is past its date and denies then', () => {
    const cases = hiddenInTls13([holder({ tls13: 'probe' }, { deniesAll: true })]);
    expect([cases.isOpen, said(cases)]).toEqual([false, ['tls-alert expired-pinset']]);
  });

  it('is judged by those alone that are open', () => {
    const [open, decided] = [holder({ tls13: 'probe' }), holder({ tls13: 'accept' })];
    const require = [open.pinset!, decided.pinset!];
    const { require: narrowed } = hiddenInTls13([open, decided]).narrow({ require, deny: [], rules: [] });
    expect(narrowed).toEqual([open.pinset]);
    expect(narrowed[0]).toBe(open.pinset);
  });
});

describe('a resumption', () => {
  const address = new Uint8Array(4);
  const subject = { client: { address, port: 1 }, server: { address, port: 443 } };
  const memory = new SessionMemory(1);
  memory.remember(subject, Buffer.alloc(8, 1), [], { until: 1, dateMs: Infinity });
  const bound = memory.bound(subject, Buffer.alloc(8, 1), [], { now: 0, dateMs: 0 });

  it.each([
    ['accept', true, 'accept resumed-bound', false],
    ['accept', false, 'accept resumed-unbound', false],
    ['deny', true, 'tls-alert resumed-bound', false],
    ['bound', true, 'accept resumed-bound', false],
    ['bound', false, 'tls-alert resumed-unbound', false],
    ['bound-else-probe', true, 'accept resumed-bound', false],
    ['bound-else-probe', false, undefined, true],
  ] as const)('with %s, bound: %s', (resumed, isBound, expected, wantsProbe) => {
    const cases = hiddenInResumption([holder({ resumed })], () => (isBound ? bound : undefined));
    expect([said(cases)[0], cases.wantsProbe]).toEqual([expected, wantsProbe]);
  });

  it('that is bound to nothing would be denied by whoever only reports', () => {
    const cases = hiddenInResumption([holder({ resumed: 'bound' }, { mode: 'report-only' })], () => undefined);
    expect(said(cases)).toEqual(['tls-alert resumed-unbound']);
  });

  it('that nobody can be asked about denies, though TLS 1.3 would be accepted then', () => {
    const cases = hiddenInResumption(
      [holder({ resumed: 'bound-else-probe', tls13: 'probe-else-accept' })],
      () => undefined,
    );
    expect(cases.failed('probe-failed').map(({ verdict }) => verdict.action)).toEqual(['tls-alert']);
  });
});
