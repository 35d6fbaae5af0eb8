/** Dates pass while the engine runs: what a configuration says of them holds from that moment on, without a reload. */
import { describe, expect, it } from 'vitest';

import { packPolicy } from '../../src/pins/match/pack.ts';
import type { CompiledPin, CompiledPinset, HiddenCertificate } from '../../src/pins/policy.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { bank, bankWith, FORGED, GENUINE, genuinePin, HOST, opened } from '../support/flows.ts';
import { full, resume } from '../support/handshakes.ts';
import { match, pin, PINNED, policy, range } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';

const HOUR = 3_600_000;
/** The wire's clock, in milliseconds. */
const NOW = 1_700_000_000_000;
const SOON = NOW + HOUR;
const genuine = presentCertificate(certificate('leaf'));
const otherPin = pin('spki-sha256', 'ab'.repeat(32));
const SESSION = Buffer.alloc(32, 0x1d);

const PASSES = { action: 'accept', reason: 'pin-match' };
const FAILS = { action: 'tls-alert', reason: 'pin-mismatch' };

/** What becomes of a whole handshake now. */
function verdictOf(wire: Wire, file = GENUINE) {
  full(wire, { file });
  return wire.verdicts.at(-1)!;
}

/** Right ahead of the date, and on it. */
function aroundDate(wire: Wire, file = GENUINE) {
  wire.now = (SOON - 1) * 1000;
  const before = verdictOf(wire, file);
  wire.now = SOON * 1000;
  return [before, verdictOf(wire, file)];
}

const withPins = (...pins: CompiledPin[]) => opened({ pinsets: [bank({ pins })] });

describe('a pin', () => {
  it('is out of use from its expires on', () => {
    const verdicts = aroundDate(withPins({ ...genuinePin, expires: SOON }, otherPin));
    expect(verdicts).toMatchObject([PASSES, FAILS]);
  });

  it('is out of use also where none is left: nothing matches, rather than everything', () => {
    expect(aroundDate(withPins({ ...genuinePin, expires: SOON }))).toMatchObject([PASSES, FAILS]);
  });

  it('comes into use with its notBefore', () => {
    const verdicts = aroundDate(withPins({ ...genuinePin, notBefore: SOON }, otherPin));
    expect(verdicts).toMatchObject([FAILS, PASSES]);
  });

  it('hands over to the next: the old key until a moment, the new one from then on', () => {
    const forgedPin = pin('cert-sha256', presentCertificate(certificate('forged')).sha256);
    const pins = [
      { ...genuinePin, expires: SOON },
      { ...forgedPin, notBefore: SOON },
    ];
    expect(aroundDate(withPins(...pins))).toMatchObject([PASSES, FAILS]);
    expect(aroundDate(withPins(...pins), FORGED)).toMatchObject([FAILS, PASSES]);
  });

  it('that denies does so within its dates', () => {
    const denies = (dates: Partial<CompiledPin>) =>
      opened({ pinsets: [bank({ deny: [pin('cert-sha256', genuine.sha256, { at: 'any', ...dates })] })] });
    const denied = { action: 'tls-alert', reason: 'deny-pin' };
    expect(aroundDate(denies({ notBefore: SOON }))).toMatchObject([PASSES, denied]);
    expect(aroundDate(denies({ expires: SOON }))).toMatchObject([denied, PASSES]);
  });

  it.each([
    ['expires', [PASSES, FAILS]],
    ['notBefore', [FAILS, PASSES]],
  ] as const)('of a list that is used with %s is no other', (key, expected) => {
    const listed = { ...pin('cert-sha256', genuine.sha256), list: '0', [key]: SOON };
    const snapshot = PinsetSnapshot.of(packPolicy(policy({ pinsets: [bank({ pins: [listed, otherPin] })] })).change);
    expect(snapshot.policy.pinsets[0]!.pins).toEqual([otherPin]);
    expect(aroundDate(opened({}, { snapshot }))).toMatchObject(expected);
  });
});

describe('a pinset past its own date', () => {
  const expiring = (more: Partial<CompiledPinset>) => opened({ pinsets: [bank({ expires: SOON, ...more })] });

  it.each([
    ['report-only', FORGED, [FAILS, { action: 'accept', reason: 'expired-pinset', would: 'tls-alert' }]],
    ['enforce', FORGED, [FAILS, { action: 'tls-alert', reason: 'expired-pinset' }]],
    ['enforce', GENUINE, [PASSES, PASSES]],
    ['deny', GENUINE, [PASSES, { action: 'tls-alert', reason: 'expired-pinset' }]],
    ['accept', FORGED, [FAILS, { action: 'accept', reason: 'expired-pinset' }]],
  ] as const)('is judged by its afterExpiry from then on: %s', (afterExpiry, file, expected) => {
    expect(aroundDate(expiring({ afterExpiry }), file)).toMatchObject(expected);
  });
});

describe('a pinset past its own date, where no certificate shows', () => {
  const flow = (afterExpiry: CompiledPinset['afterExpiry'], tls13: HiddenCertificate) => {
    const situations = { ...PINNED, tls13 };
    const wire = opened({ pinsets: [bank({ expires: SOON, afterExpiry, situations })] });
    wire.now = SOON * 1000;
    wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304] }));
    wire.fromServer(tls.record(tls.CONTENT.handshake, tls.serverHello13));
    return wire.verdicts.at(-1);
  };

  it.each([
    ['report-only', 'deny', { action: 'accept', reason: 'no-certificate', would: 'tls-alert' }],
    ['enforce', 'deny', { action: 'tls-alert', reason: 'no-certificate' }],
    ['accept', 'deny', { action: 'accept', reason: 'no-certificate' }],
    ['deny', 'accept', { action: 'tls-alert', reason: 'expired-pinset' }],
  ] as const)('afterExpiry %s, tls13 %s', (afterExpiry, tls13, expected) => {
    expect(flow(afterExpiry, tls13)).toMatchObject(expected);
  });

  it.each([
    ['report-only', { action: 'accept', would: 'tls-alert' }],
    ['deny', { action: 'tls-alert', reason: 'expired-pinset' }],
  ] as const)('afterExpiry %s holds for what is no TLS', (afterExpiry, expected) => {
    const byAddress = match({ addresses: [range('198.51.100.0/24')] });
    const wire = opened({ pinsets: [bank({ match: byAddress, expires: SOON, afterExpiry })] });
    wire.now = SOON * 1000;
    wire.fromClient('SSH-2.0-OpenSSH_9.2\r\n');
    expect(wire.verdicts.at(-1)).toMatchObject(expected);
  });
});

describe('a session stands for a certificate only as long as the certificate would still do', () => {
  const BOUND = { action: 'accept', reason: 'resumed-bound' };
  const UNBOUND = { action: 'tls-alert', reason: 'resumed-unbound' };
  const bound = bankWith({ resumed: 'bound' });
  const denying = pin('cert-sha256', genuine.sha256, { at: 'any', notBefore: SOON });

  it.each<[string, Partial<CompiledPinset>, object]>([
    ['the pin that matched expires', { pins: [{ ...genuinePin, expires: SOON }, otherPin] }, UNBOUND],
    ['a pin that denies it comes into use', { deny: [denying] }, UNBOUND],
    ['the pinset ends', { expires: SOON, afterExpiry: 'deny' }, { action: 'tls-alert', reason: 'expired-pinset' }],
  ])('%s', (_, more, expected) => {
    const wire = opened({ pinsets: [{ ...bound, ...more }] });
    full(wire, { sessionId: SESSION });
    wire.now = (SOON - 1) * 1000;
    expect(resume(wire, { sessionId: SESSION })).toMatchObject(BOUND);
    wire.now = SOON * 1000;
    expect(resume(wire, { sessionId: SESSION })).toMatchObject(expected);
  });

  it('dates of other pinsets do not matter to it', () => {
    const other = { ...bound, index: 1, name: 'other', match: { ...bound.match, hosts: ['www.shop.example'] } };
    const wire = opened({ pinsets: [bound, { ...other, expires: SOON }] });
    full(wire, { sessionId: SESSION });
    wire.now = SOON * 1000;
    expect(resume(wire, { sessionId: SESSION })).toMatchObject(BOUND);
  });
});
