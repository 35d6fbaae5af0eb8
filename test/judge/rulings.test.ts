import { describe, expect, it } from 'vitest';

import type { CompiledPinset, CompiledVerdict } from '../../src/pins/policy.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import type { ChainFacts, ExamineRequest } from '../../src/x509/examine.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import {
  ACCEPT,
  bank,
  bankWith,
  DENY,
  FORGED,
  forgedFlight,
  GENUINE,
  genuineFlight,
  genuinePin,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import { match, pin, PINNED, pinset, range, rule } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire, WireOptions } from '../support/wire.ts';

const INTER = fixturePath('inter');
const genuine = presentCertificate(certificate('leaf'));
const forged = presentCertificate(certificate('forged'));
const forgedPin = pin('cert-sha1', forged.sha1);
const issuerPin = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
const verdict = (action: CompiledVerdict['action'], connmark: CompiledVerdict['connmark'] = null): CompiledVerdict => ({
  action,
  connmark,
});
const DAY = 86_400_000;
/** The wire's clock, in milliseconds. */
const NOW = 1_700_000_000_000;

/** The hello, the flight, and the client's acknowledgment. */
function judged(fields: object, flight: Buffer = genuineFlight, options: WireOptions = {}, name = HOST): Wire {
  const wire = opened(fields, options);
  wire.fromClient(tls.clientHello(name));
  wire.fromServer(flight);
  wire.fromClient('');
  return wire;
}

const pinsets = (...list: readonly CompiledPinset[]) => ({ pinsets: list });

describe('pins', () => {
  it.each([
    ['cert-sha1', genuine.sha1],
    ['cert-sha256', genuine.sha256],
    ['spki-sha256', genuine.spkiSha256!],
    ['key', genuine.key!],
  ] as const)('%s of the leaf match', (kind, key) => {
    const wire = judged(pinsets(bank({ pins: [pin(kind, key)] })));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', matched: `${kind}:${key}` }]);
  });

  it('a backup pin says so', () => {
    const backup = { ...genuinePin, role: 'backup' as const };
    expect(judged(pinsets(bank({ pins: [backup] }))).verdicts).toMatchObject([{ reason: 'backup-pin-match' }]);
  });

  it('on the issuer do not match by its certificate being appended: the path decides', () => {
    for (const chain of [
      [FORGED, INTER],
      [FORGED, GENUINE, INTER],
    ]) {
      const wire = judged(pinsets(bank({ pins: [issuerPin] })), tls.serverFlight(...chain));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
    }
  });

  it('on the genuine leaf do not match it behind another leaf', () => {
    const wire = judged({}, tls.serverFlight(FORGED, GENUINE));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it('outside their dates do not count', () => {
    for (const dates of [{ notBefore: NOW + DAY }, { expires: NOW - DAY }]) {
      const wire = judged(pinsets(bank({ pins: [{ ...genuinePin, ...dates }] })));
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
    }
    const inTime = { ...genuinePin, notBefore: NOW - DAY, expires: NOW + DAY };
    expect(judged(pinsets(bank({ pins: [inTime] }))).verdicts).toMatchObject([{ reason: 'pin-match' }]);
  });
});

describe('a pinset past its own date', () => {
  const expired = { expires: NOW - DAY };

  it.each([
    ['report-only', genuineFlight, { action: 'accept', reason: 'pin-match' }],
    ['report-only', forgedFlight, { action: 'accept', reason: 'expired-pinset', would: 'tls-alert' }],
    ['enforce', forgedFlight, { action: 'tls-alert', reason: 'expired-pinset' }],
    ['enforce', genuineFlight, { action: 'accept', reason: 'pin-match' }],
    ['deny', genuineFlight, { action: 'tls-alert', reason: 'expired-pinset' }],
    ['accept', forgedFlight, { action: 'accept', reason: 'expired-pinset' }],
  ] as const)('%s', (afterExpiry, flight, expected) => {
    expect(judged(pinsets(bank({ ...expired, afterExpiry })), flight).verdicts).toMatchObject([expected]);
  });
});

describe('the proof of possession (RFC 5246 §7.4.3)', () => {
  const replayed = tls.signedFlight({}, GENUINE);

  it('is asked of whoever shows the genuine certificate, over both randoms and the parameters', () => {
    const asked: { signed: number; scheme: number; version: number; spki: boolean }[] = [];
    const proves: WireOptions['proves'] = ({ signed, scheme, version, spki }) => {
      asked.push({ signed: signed.length, scheme, version, spki: Buffer.compare(spki, genuine.spki!) === 0 });
      return true;
    };
    expect(judged({}, replayed, { proves }).verdicts).toMatchObject([{ reason: 'pin-match' }]);
    expect(asked).toEqual([{ signed: 32 + 32 + 36, scheme: 0x0804, version: 0x0303, spki: true }]);
  });

  it('fails who has the certificate and not its key', () => {
    const wire = judged({}, replayed, { proves: () => false });
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-proof' }]);
    expect(wire.connmark).toBe(DENY);
  });

  it('is waited for, and what is decided without it is decided at the certificate', () => {
    const messages = [tls.serverHello(0xc02f), tls.certificateMessage(GENUINE)];
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(tls.record(22, Buffer.concat(messages)));
    expect(wire.verdicts).toEqual([]);
    const mismatch = opened();
    mismatch.fromClient(tls.clientHello(HOST));
    mismatch.fromServer(tls.record(22, Buffer.concat([tls.serverHello(0xc02f), tls.certificateMessage(FORGED)])));
    expect(mismatch.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it('is reported only, or not asked for, where the configuration says so', () => {
    const proves = () => false;
    const report = bankWith({ checks: { ...PINNED.checks, proofOfPossession: 'report' } });
    const wire = judged(pinsets(report), replayed, { proves });
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match' }]);
    expect(wire.events.filter(({ kind }) => kind === 'anomaly')).toMatchObject([{ code: 'tls.proof.failed' }]);
    const off = bankWith({ checks: { ...PINNED.checks, proofOfPossession: 'off' } });
    const never = () => {
      throw new Error('was asked');
    };
    expect(judged(pinsets(off), replayed, { proves: never }).verdicts).toMatchObject([{ reason: 'pin-match' }]);
  });

  it('is impossible for a key exchange that nobody here knows', () => {
    const messages = [tls.serverHello(0x5600), tls.certificateMessage(GENUINE), tls.serverHelloDone];
    const wire = judged({}, tls.record(22, Buffer.concat(messages)));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-proof' }]);
  });

  it('is not needed with static RSA: only the holder of the key can go on', () => {
    const proves = () => false;
    expect(judged({}, genuineFlight, { proves }).verdicts).toMatchObject([{ reason: 'pin-match' }]);
  });
});

describe('deny pins', () => {
  const denied = { deny: [{ ...forgedPin, at: 'any' as const }], onDeny: verdict('reset') };

  it('are final for any presented certificate, before pins are looked at', () => {
    const wire = judged(pinsets(bank(denied)), tls.serverFlight(GENUINE, FORGED));
    expect(wire.verdicts).toMatchObject([{ action: 'reset', reason: 'deny-pin', matched: forgedPin.canonical }]);
  });

  it('of a pinset without pins apply to every flow that it fits, and leave the others alone', () => {
    const list = pinset(1, { name: 'list', pins: [], match: match(), ...denied });
    const onList = judged(pinsets(list), forgedFlight, {}, 'other.example');
    expect(onList.verdicts).toMatchObject([{ action: 'reset', reason: 'deny-pin', pinset: 'list' }]);
    const other = judged(pinsets(list), genuineFlight, {}, 'other.example');
    expect(other.connmark).toBe(ACCEPT);
  });

  it('deny while a pinset still learns, and are only reported in report-only', () => {
    expect(judged(pinsets(bank({ ...denied, mode: 'learn' })), forgedFlight).verdicts).toMatchObject([
      { action: 'reset', reason: 'deny-pin', mode: 'learn' },
    ]);
    const reporting = judged(
      pinsets(bank({ ...denied, pins: [pin('cert-sha1', forged.sha1)], mode: 'report-only' })),
      forgedFlight,
    );
    expect(reporting.verdicts).toMatchObject([{ action: 'accept' }]);
    expect(reporting.connmark).toBe(ACCEPT);
  });
});

describe('rules', () => {
  const list = { id: '0', writable: false, file: null, kind: null, entries: [{ ...forgedPin, at: 'any' as const }] };
  const listed = (inverted: boolean, action: CompiledVerdict['action'], connmark: CompiledVerdict['connmark'] = null) =>
    rule(0, { kind: 'fpl', list: '0', inverted }, { verdict: verdict(action, connmark) });
  const withRules = (...rules: ReturnType<typeof rule>[]) => ({ pinsets: [], lists: [list], rules });

  it('the first that does not accept is final', () => {
    const wire = judged(withRules(listed(false, 'reset'), listed(false, 'drop')), forgedFlight);
    const entry = forgedPin.canonical;
    expect(wire.verdicts).toMatchObject([{ action: 'reset', reason: 'rule', rules: [{ index: 0, list: '0', entry }] }]);
    expect(judged(withRules(listed(false, 'reset'))).connmark).toBe(ACCEPT);
  });

  it('inverted: the genuine one appended behind a forged leaf satisfies nobody', () => {
    const wire = judged(withRules(listed(true, 'drop')), tls.serverFlight(GENUINE, FORGED));
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'rule' }]);
    expect(judged(withRules(listed(true, 'drop')), forgedFlight).connmark).toBe(ACCEPT);
  });

  it('one that accepts and leaves a mark, by which others may block, is recorded though no pinset is for the flow', () => {
    const log = { unpinned: false, certificates: 'pins', stats: 0 };
    const mark = { value: 0x12, mask: 0xff };
    const marked = judged({ ...withRules(listed(false, 'accept', mark)), log }, forgedFlight);
    const rules = [{ index: 0, list: '0', entry: forgedPin.canonical }];
    expect(marked.verdicts).toMatchObject([
      { action: 'accept', reason: 'unpinned', rules, connmark: { value: ACCEPT | 0x12 } },
    ]);
    expect(judged({ ...withRules(listed(false, 'accept')), log }, forgedFlight).verdicts).toEqual([]);
  });

  it('one that accepts writes its mark and goes on, and lifts no pinset', () => {
    const mark = { value: 0x12, mask: 0xff };
    const wire = judged(
      { ...withRules(listed(false, 'accept', mark)), pinsets: [bank()] },
      tls.serverFlight(GENUINE, FORGED),
    );
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', rules: [{ index: 0, list: '0' }] }]);
    expect(wire.connmark).toBe(ACCEPT | 0x12);
    const other = judged({ ...withRules(listed(false, 'accept', mark)), pinsets: [bank()] }, forgedFlight);
    expect(other.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });
});

describe('connmark bits of the configuration', () => {
  it('go with the verdict that names them, beside the bits of the engine', () => {
    const mark = { value: 0x3, mask: 0xf };
    const marked = bank({
      onMatch: verdict('accept', mark),
      onMismatch: verdict('tls-alert', { value: 0x5, mask: 0xf }),
    });
    expect(judged(pinsets(marked)).connmark).toBe(ACCEPT | 0x3);
    expect(judged(pinsets(marked), forgedFlight).connmark).toBe(DENY | 0x5);
  });

  it('that others set stay as they are', () => {
    const wire = opened();
    wire.connmark = (wire.connmark | 0x8000_0001) >>> 0;
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(genuineFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe((ACCEPT | 0x8000_0001) >>> 0);
  });

  it('of a verdict that was only reported are not written', () => {
    const marked = bank({ mode: 'report-only', onMismatch: verdict('tls-alert', { value: 0x5, mask: 0xf }) });
    expect(judged(pinsets(marked), forgedFlight).connmark).toBe(ACCEPT);
  });
});

describe('report-only and learn', () => {
  it('a pinset that only reports is said once, with the first that it would have denied', () => {
    const situations = { ...PINNED, ech: 'deny', checks: { ...PINNED.checks, minVersion: 0x0304 } } as const;
    const wire = opened({ pinsets: [bank({ mode: 'report-only', situations })] });
    wire.fromClient(tls.clientHello({ name: HOST, ech: true }));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'ech', would: 'tls-alert', others: [] }]);
  });

  it('and once also where another pinset decides', () => {
    const situations = { ...PINNED, ech: 'deny', earlyData: 'deny' } as const;
    const strict = { ...PINNED, earlyData: 'accept', checks: { ...PINNED.checks, minVersion: 0x0304 } } as const;
    const address = match({ addresses: [range('198.51.100.0/24')] });
    const wire = opened({
      pinsets: [bank({ mode: 'report-only', situations }), pinset(1, { match: address, situations: strict })],
    });
    wire.fromClient(tls.clientHello({ name: HOST, ech: true, earlyData: true, supportedVersions: [0x0304, 0x0303] }));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'min-version', pinset: 'pinset-1' }]);
    expect(wire.verdicts[0]!.others).toEqual([{ pinset: 'pinset-0', reason: 'ech', would: 'tls-alert' }]);
  });

  it('two that only report are both said, each with its own reason', () => {
    const byAddress = { ...PINNED, checks: { ...PINNED.checks, minVersion: 0x0304 } } as const;
    const address = match({ addresses: [range('198.51.100.0/24')] });
    const other = pinset(1, { match: address, mode: 'report-only', pins: [genuinePin], situations: byAddress });
    const wire = opened({ pinsets: [bank({ mode: 'report-only', situations: { ...PINNED, ech: 'deny' } }), other] });
    wire.fromClient(tls.clientHello({ name: HOST, ech: true }));
    wire.fromServer(genuineFlight);
    const said = wire.verdicts.flatMap(({ reason, others }) => [reason, ...others.map((each) => each.reason)]);
    expect(said.sort()).toEqual(['ech', 'min-version']);
  });

  it.each(['report-only', 'learn'] as const)('%s accepts, and tells what enforcement had done', (mode) => {
    const wire = judged(pinsets(bank({ mode })), forgedFlight);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-mismatch', would: 'tls-alert', mode }]);
    expect(wire.atClient.stream.equals(forgedFlight)).toBe(true);
    // Who learns wants to know whether the client goes on.
    if (mode === 'learn') wire.fromClient(Buffer.concat([tls.clientFinish, tls.applicationData]));
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('certificates that no library parses', () => {
  it('still match by their digest, and never by a key', () => {
    const odd = Buffer.from('not a certificate at all');
    const flight = tls.record(
      22,
      Buffer.concat([tls.serverHello(), tls.certificateMessageOf(odd), tls.serverHelloDone]),
    );
    const known = bank({ pins: [pin('cert-sha256', presentCertificate(odd).sha256)] });
    expect(judged(pinsets(known), flight).verdicts).toMatchObject([{ reason: 'pin-match' }]);
    expect(judged({}, flight).verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });
});

describe('another configuration', () => {
  it('judges what is undecided: by the name that the client gave', () => {
    const wire = opened({ pinsets: [bank()] });
    wire.fromClient(tls.clientHello(HOST));
    wire.reload({ pinsets: [bank({ pins: [pin('cert-sha256', forged.sha256)] })], hash: 'sha256:02' });
    wire.fromServer(genuineFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch', config: 'sha256:02' }]);
  });

  it('leaves the decided to their decision', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    wire.reload({ pinsets: [] });
    wire.fromServer(forgedFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
    expect(wire.verdicts.length).toBe(1);
  });

  it('without the pinset lets a waiting flow go, which is unpinned now', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello(HOST));
    wire.reload({ pinsets: [] });
    expect(wire.connmark).toBe(PENDING);
    wire.fromServer(forgedFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('pins a flow that has not given its name yet', () => {
    const wire = opened({ pinsets: [] });
    wire.reload({ pinsets: [bank()] });
    wire.fromClient(tls.clientHello(HOST));
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });
});

describe('with `trust` a match', () => {
  const issuer = certificate('inter');
  const examined = (more: object, facts: Partial<ChainFacts>) => {
    const situations = { ...PINNED, checks: { ...PINNED.checks, trust: [issuer] } };
    const examine = (_: ExamineRequest, done: (found: ChainFacts) => void) => done(chainFacts(facts));
    return judged(pinsets(bank({ situations, ...more })), genuineFlight, { examiner: { examine } }).verdicts;
  };

  it.each([
    [true, 'accept', 'pin-match'],
    [false, 'tls-alert', 'untrusted'],
  ] as const)('has to have a path that ends at a trusted certificate: %s', (trusted, action, reason) => {
    expect(examined({}, { trusted })).toMatchObject([{ action, reason }]);
  });

  it.each([
    [[0], 'accept', 'pin-match'],
    [[], 'tls-alert', 'pin-mismatch'],
  ])('of a root that was not sent counts where the path goes on to it: %j', (anchorsOnPath, action, reason) => {
    const pins = [pin('spki-sha256', presentCertificate(issuer).spkiSha256!, { at: 'path' })];
    expect(examined({ pins }, { trusted: true, anchorsOnPath })).toMatchObject([{ action, reason }]);
  });
});
