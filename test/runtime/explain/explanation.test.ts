/** Explanations of real flows, each decided by the engine and told of from its record alone. */
import { describe, expect, it } from 'vitest';

import type { VerdictEvent } from '../../../src/judge/events.ts';
import { EVERYTHING, explain } from '../../../src/runtime/explain/explanation.ts';
import { inspectCapture } from '../../../src/runtime/offline.ts';
import { ROOT } from '../../support/built.ts';
import { certificate } from '../../support/certificates.ts';
import { policyOf } from '../../support/configuration.ts';
import { bank, HOST } from '../../support/flows.ts';
import { match, pin, pinset, policy } from '../../support/policy.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';
import { presentCertificate } from '../../../src/x509/presented.ts';

const LEAF = 'spki-sha256:SkR0+T274Sm06wWNZY4r1vrNgqKFFeWpmpOxDarh6uE=';
const INTER = 'spki-sha256:JVSyOlSecB2Tq9RisevCFGQKqP9CxiffPYcIdrKQQdw=';
const NONE = `spki-sha256:${Buffer.alloc(32, 9).toString('base64')}`;
const BANK = {
  name: 'bank',
  match: { hosts: ['**.bank.example'], ports: [443, 25, 3128] },
  pins: [LEAF, { pin: INTER, role: 'backup' }],
};

async function explained(capture: string, document: object = { pinsets: [BANK] }, flow = 1) {
  const events: VerdictEvent[] = [];
  const decided = policyOf({ version: 1, ...document });
  const path = `${ROOT}fixtures/flows/${capture}`;
  const onEvent = (event: { kind: string }) => event.kind === 'verdict' && events.push(event as VerdictEvent);
  await inspectCapture({ path, policy: decided, checksums: false, onEvent });
  return explain(
    events.find(({ flowId }) => flowId === flow)!,
    decided,
  );
}

describe('where the time went', () => {
  it('of a capture: the messages up to the decision, in their order', async () => {
    const { handshake } = await explained('tls12.pcap');
    expect(handshake.map(({ from, what }) => `${from} ${what}`)).toEqual([
      'client ClientHello',
      'server ServerHello',
      'server Certificate',
      'server ServerKeyExchange',
      'server ServerHelloDone',
    ]);
    const times = handshake.map(({ at_us: at }) => at);
    expect(times[0]).toBe(0);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.at(-1)).toBeGreaterThan(0);
  });

  it('of a running engine: what it asked the server, from when on packets waited, and when it decided', () => {
    const event = verdictEvent({
      milestones: ['client', 1, 0, 'probe-asked', 0, 40, 'server', 2, 9_000, 'probe-answered', 0, 12_000],
      ...{ tookMicros: 12_100, heldMicros: 3_000 },
    });
    expect(explain(event, policy()).handshake).toEqual([
      { at_us: 0, from: 'client', what: 'ClientHello' },
      { at_us: 40, from: 'tlspin', what: 'probe-asked' },
      { at_us: 9_000, from: 'server', what: 'ServerHello' },
      { at_us: 9_100, from: 'tlspin', what: 'hold' },
      { at_us: 12_000, from: 'tlspin', what: 'probe-answered' },
      { at_us: 12_100, from: 'tlspin', what: 'decision' },
    ]);
  });
});

describe('why', () => {
  it('a forged certificate is refused: each pin, and what it was compared with', async () => {
    const { verdict, judged, pinsets, certificates } = await explained('forged.pcap');
    expect(verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'pin-mismatch',
      meaning: 'none of the pins of the pinset is satisfied by what the server presented',
    });
    expect(pinsets).toEqual([{ pinset: 'bank', chosen_as: 'host', why: '"**.bank.example" covers www.bank.example' }]);
    expect(judged[0]!.pins).toEqual([
      { pin: LEAF, at: 'path', role: 'primary', equals: [], counts: false, but: null },
      { pin: INTER, at: 'path', role: 'backup', equals: [], counts: false, but: null },
    ]);
    expect(certificates[0]).toMatchObject({
      subject: 'CN=www.bank.example',
      sha1: expect.stringMatching(/^[\da-f]{40}$/),
    });
  });

  it('a genuine one is accepted: pins, checks and proof', async () => {
    const { certificates, judged, situation } = await explained('tls12.pcap');
    expect(certificates).toHaveLength(2);
    expect(judged[0]!.reason).toBe('pin-match');
    expect(judged[0]!.pins.map(({ equals, counts }) => [equals, counts])).toEqual([
      [[0], true],
      [[1], true],
    ]);
    expect(judged[0]!.checks).toContainEqual({
      check: 'proofOfPossession',
      value: 'require',
      outcome: 'holds',
      detail: 'the key exchange is signed with the key of the leaf',
    });
    expect(situation).toBeNull();
  });

  it('a pin does not count where it does not stand, or not any more', async () => {
    const pins = [{ pin: LEAF, at: 'ca' }, { pin: INTER, at: 'leaf' }, { pin: LEAF, expires: '2020-01-01' }, NONE];
    const { judged, verdict } = await explained('tls12.pcap', { pinsets: [{ ...BANK, pins }] });
    expect(verdict.reason).toBe('pin-mismatch');
    expect(judged[0]!.pins.map(({ equals, counts, but }) => [equals, counts, but])).toEqual([
      [[0], false, 'it holds above the leaf only'],
      [[1], false, 'it holds for the leaf only'],
      [[0], false, 'it expired on 2020-01-01'],
      [[], false, null],
    ]);
  });

  it('a list without an entry is satisfied by nobody', async () => {
    const document = { lists: { 0: { entries: [], writable: true } }, pinsets: [{ ...BANK, pins: ['@0'] }] };
    const { judged } = await explained('tls12.pcap', document);
    expect(judged[0]!.pins).toMatchObject([
      { equals: [], counts: false, but: 'nothing is on the list, so nothing satisfies it' },
    ]);
  });

  it('a name or a date was not enough, where the pin is above the leaf', async () => {
    const named = { name: 'bank', match: { addresses: ['127.0.0.1'] }, pins: [INTER], names: ['other.example'] };
    const { judged, verdict } = await explained('no-sni.pcap', { pinsets: [named] });
    expect(verdict.reason).toBe('name-mismatch');
    expect(judged[0]!.checks[0]).toEqual({
      check: 'name',
      value: 'auto',
      outcome: 'fails',
      detail: 'the leaf does not carry other.example',
    });
  });

  it('a pinset was chosen and the others were not', async () => {
    const only = (name: string, to?: object) => ({ name, match: to, pins: [NONE] });
    const { pinsets, judged, verdict } = await explained('tls12.pcap', {
      pinsets: [
        only('exact', { hosts: ['www.bank.example'] }),
        only('wide', { hosts: ['**.bank.example'] }),
        only('address', { addresses: ['127.0.0.0/8'] }),
        only('elsewhere', { addresses: ['192.0.2.0/24'] }),
        only('others', { hosts: ['shop.example'] }),
        only('exempting', { hosts: ['**.example', '!**.bank.example'] }),
        only('port', { hosts: ['*.bank.example'], ports: [8443, '9000-9001'] }),
        only('client', { hosts: ['*.bank.example'], clients: ['10.0.0.0/8'] }),
        only('rest'),
        { name: 'blocked', deny: [LEAF] },
      ],
    });
    expect(verdict).toMatchObject({ reason: 'deny-pin', pinset: 'blocked' });
    expect(pinsets.map(({ pinset: name, chosen_as: as, why }) => [name, as, why])).toEqual([
      ['exact', 'host', 'it names www.bank.example'],
      ['wide', null, '"exact" is more specific: it names www.bank.example'],
      ['address', 'address', '127.0.0.0/8 contains 127.0.0.1'],
      ['elsewhere', null, 'its addresses do not contain 127.0.0.1'],
      ['others', null, 'its hosts do not cover www.bank.example'],
      ['exempting', null, 'its hosts exempt www.bank.example'],
      ['port', null, 'port 443 is not among its ports (8443, 9000-9001)'],
      ['client', null, 'its clients do not contain 127.0.0.1'],
      ['rest', null, 'it is for flows that no other pinset selects'],
      ['blocked', 'deny', 'a deny list; it is for every server'],
    ]);
    expect(judged.map(({ pinset: name, deny_pins: count, denied }) => [name, count, denied])).toEqual([
      ['address', 0, null],
      ['exact', 0, null],
      ['blocked', 1, LEAF],
    ]);
  });

  it('a rule was true', async () => {
    const { sha1 } = (await explained('tls12.pcap')).certificates[1]!;
    const { rules } = await explained('tls12.pcap', {
      lists: { 0: { entries: [sha1] }, 1: { entries: ['00'.repeat(20)] } },
      rules: [
        { fpl: '1', verdict: 'drop' },
        { fpl: '0', verdict: 'reset' },
      ],
    });
    expect(rules).toEqual([
      { rule: 'fpl 1', matches: false, verdict: 'drop' },
      { rule: 'fpl 0', matches: true, verdict: 'reset' },
    ]);
  });

  it.each([
    ['tls13.pcap', 1, 'tls13', 'bank', 'probe'],
    ['tickets.pcap', 15, 'resumed', 'bank', 'bound-else-probe'],
    ['clear.pcap', 1, 'notTls', 'unpinned', 'accept'],
  ])('no certificate could decide: %s, flow %i', async (capture, flow, key, of, value) => {
    const { situation } = await explained(capture, undefined, flow);
    expect(situation).toEqual({ key, values: [{ of, value }] });
  });
});

describe('a pin of a whole certificate', () => {
  it('counts where that ends the path, without having been sent', () => {
    const chain = [certificate('leaf'), certificate('inter')];
    const der = certificate('root');
    const root = pin('cert', presentCertificate(der).sha256, { at: 'ca', der });
    const event = verdictEvent({ tls: tlsSummary({ certificates: chain }) });
    const { judged } = explain(event, policy({ pinsets: [bank({ pins: [root] })] }));
    expect(judged[0]!.pins).toMatchObject([{ equals: [], counts: true, but: null }]);
  });
});

describe('a proof of possession', () => {
  const proof = (more: Parameters<typeof verdictEvent>[0], cipherSuite = 0xc02f) => {
    const tls = tlsSummary({ certificates: [certificate('leaf')], cipherSuite });
    const { judged } = explain(verdictEvent({ tls, ...more }), policy({ pinsets: [bank()] }));
    return judged[0]!.checks.find(({ check }) => check === 'proofOfPossession')!.outcome;
  };

  it.each([
    ['was given', { proven: true }, 0xc02f, 'holds'],
    ['is not asked of a static key exchange', { proven: true }, 0x002f, 'not-asked'],
    ['was missing', { proven: false, reason: 'no-proof' }, 0xc02f, 'fails'],
    ['was missing, which is only reported', { proven: false, reason: 'pin-match' }, 0xc02f, 'fails'],
    ['was not waited for', { proven: false, reason: 'pin-mismatch' }, 0xc02f, 'undecided'],
  ] as const)('%s', (_, more, suite, outcome) => {
    expect(proof(more, suite)).toBe(outcome);
  });
});

describe('a situation', () => {
  const situation = (more: Parameters<typeof verdictEvent>[0]) =>
    explain(verdictEvent(more), policy({ pinsets: [bank()] })).situation;

  it.each([
    ['probe-mismatch', { version: 0x0304 }, 'tls13'],
    ['keylog-missing', { version: 0x0304 }, 'tls13'],
    ['probe-failed', { sessionResumed: true }, 'resumed'],
    ['no-certificate', { version: 0x0304 }, 'tls13'],
    ['anonymous', { cipherSuite: 0x00a8 }, 'psk'],
    ['anonymous', { cipherSuite: 0x0034 }, 'anonymous'],
    ['overlap-conflict', {}, 'parseError'],
    ['limit', {}, 'parseError'],
    ['overload', {}, 'overload'],
  ] as const)('stands behind %s, where the handshake was %j', (reason, tls, key) => {
    const found = situation({ reason, tls: tlsSummary(tls) });
    expect([found?.key, found?.values.map(({ of }) => of)]).toEqual([key, ['pinset-0']]);
  });

  it('of a client that gave no name yet may be that of a host pinset', () => {
    expect(situation({ reason: 'midstream', pinset: null, tls: null })).toEqual({
      key: 'midstream',
      values: [{ of: 'pinned', value: 'deny' }],
    });
  });

  it('is none where pins decided', () => {
    expect(situation({ reason: 'pin-mismatch' })).toBeNull();
    expect(situation({ reason: 'no-certificate' })).toBeNull();
  });
});

it('what a fault may come of is said beside it', () => {
  const hint = (fault: string | null) => explain(verdictEvent({ fault }), policy()).verdict.hint;
  expect(hint('probe.timeout.handshake')).toContain('a single connection at a time');
  expect(hint('probe.timeout.connect')).toContain('this host cannot connect');
  expect(hint('probe.alert.40')).toContain('alert of this number');
  expect(hint('tls.record.overflow')).toBeNull();
  expect(hint(null)).toBeNull();
});

it('a pinset that has learned is judged by what it learned of this host', () => {
  const learned = bank({ pins: [pin('spki-sha256', 'bb'.repeat(32))] });
  const learning = bank({ pins: [], mode: 'learn', learned: new Map([[`${HOST}:443`, learned]]) });
  const event = verdictEvent({ tls: tlsSummary({ certificates: [certificate('leaf')] }) });
  const { pinsets, judged } = explain(event, policy({ pinsets: [learning] }));
  expect(pinsets[0]).toMatchObject({ chosen_as: 'host' });
  expect(judged[0]!.pins).toMatchObject([{ pin: `spki-sha256:${'bb'.repeat(32)}`, counts: false }]);
});

it('an answer has an end: what was chosen and what fits come first, and the rest is counted', () => {
  const { spkiSha256 } = presentCertificate(certificate('leaf'));
  const some = Array.from({ length: 5 }, (_, index) => pin('spki-sha256', `0${index}`.repeat(32)));
  const pins = [...some, pin('spki-sha256', spkiSha256!)];
  const others = [0, 1, 2].map((index) => pinset(index, { match: match({ hosts: [`${index}.example`] }) }));
  const event = verdictEvent({ tls: tlsSummary({ certificates: [certificate('leaf')] }) });
  const settings = policy({ pinsets: [...others, bank({ name: 'bank', index: 3, pins })] });
  const short = explain(event, settings, { pinsets: 2, pins: 2, rules: 0 });
  expect(short.pinsets.map(({ pinset: name }) => name)).toEqual(['bank', 'pinset-0']);
  expect([short.pinsets_left_out, short.judged[0]!.pins_left_out]).toEqual([2, 4]);
  expect(short.judged[0]!.pins[0]).toMatchObject({ equals: [0], counts: true });
  const whole = explain(event, settings, EVERYTHING);
  expect([whole.pinsets.length, whole.judged[0]!.pins.length]).toEqual([4, 6]);
});
