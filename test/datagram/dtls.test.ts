import { describe, expect, it } from 'vitest';

import type { ChainFacts, ExamineRequest } from '../../src/x509/examine.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { ACCEPT, bank, bankWith, FORGED, GENUINE, genuinePin, HOST, PENDING } from '../support/flows.ts';
import { match, pin, pinset } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';

const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
const helloOf = (name: string | undefined, fields: tls.HelloFields = {}) =>
  handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name, ...fields })), 0));
const flightOf = (certificate: string, size = Infinity) =>
  [
    tls.serverHello({ suite: 0xc02f }),
    tls.certificateMessage(certificate),
    tls.serverKeyExchange(),
    tls.serverHelloDone,
  ].flatMap((message, i) => dtls.fragments(i === 0 ? dtls.overDatagrams(message) : message, i, size));
const goesOn = Buffer.concat([
  handshake(...dtls.fragments(tls.handshake(16, tls.vector16(Buffer.alloc(65, 0x0c))), 1)),
  dtls.dtlsRecord(20, Buffer.of(1)),
  dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 }),
]);
const data = dtls.dtlsRecord(23, Buffer.alloc(60, 0x5a), { epoch: 1 });
const FACTS = chainFacts({ nameMatches: false });

describe('a pinned name over DTLS', () => {
  it('with the pinned key is accepted, and marked once the client has gone on', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(helloOf(HOST))).toBe('accept');
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('accept');
    expect(wire.connmark).toBe(0);
    expect(wire.fromClient(goesOn)).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.verdicts).toMatchObject([
      { datagrams: 'dtls', action: 'accept', reason: 'pin-match', evidence: 'observed', matched: genuinePin.canonical },
    ]);
    expect(wire.verdicts[0]!.tls).toMatchObject({ sni: HOST, version: 0xfefd, cipherSuite: 0xc02f });
  });

  it('with another key is dropped where its Certificate is complete, and stays denied', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    const [hello, ...rest] = flightOf(FORGED, 300);
    expect(wire.fromServer(handshake(hello!))).toBe('accept');
    const answers = rest.map((part) => wire.fromServer(handshake(part)));
    const completes = Math.ceil((tls.certificateMessage(FORGED).length - 4) / 300);
    expect(answers.slice(0, completes - 1)).not.toContain('drop');
    expect(new Set(answers.slice(completes - 1))).toEqual(new Set(['drop']));
    expect(rest.map((part) => wire.fromServer(handshake(part)))).not.toContain('accept');
    expect(wire.fromClient(goesOn)).toBe('drop');
    expect(wire.fromServer(data)).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'pin-mismatch', pinset: 'pinset-0' }]);
  });

  it('is not bought by a genuine flight that the client never gets', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    wire.fromServer(handshake(...flightOf(GENUINE)));
    expect(wire.fromServer(handshake(...flightOf(FORGED)))).toBe('drop');
    expect(wire.fromClient(goesOn)).toBe('drop');
    expect(wire.connmark).toBe(0);
    expect(wire.verdicts.map(({ action, reason }) => `${action} ${reason}`)).toEqual([
      'accept pin-match',
      'drop overlap-conflict',
    ]);
  });

  it('is not marked by whoever speaks for the client from elsewhere', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    wire.fromServer(handshake(...flightOf(GENUINE)));
    expect(wire.fromClient(goesOn, { inIfindex: 9 })).toBe('drop');
    expect(wire.connmark).toBe(0);
  });

  it('nor, where one interface leads to both ends, by whoever does from elsewhere on its link', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const oneArm = { inIfindex: 2, outIfindex: 2 };
    wire.fromClient(helloOf(HOST), { ...oneArm, inLink: 0xa });
    // Nor can he begin in the client's place.
    expect(wire.fromClient(helloOf('www.other.example'), { ...oneArm, inLink: 0xb })).toBe('drop');
    wire.fromServer(handshake(...flightOf(GENUINE)), { ...oneArm, inLink: 0xb });
    expect(wire.fromClient(goesOn, { ...oneArm, inLink: 0xb })).toBe('drop');
    expect(wire.connmark).toBe(0);
    expect(wire.fromClient(goesOn, { ...oneArm, inLink: 0xa })).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.engine.counters.oneArmed).toBe(1);
  });

  it('without the proof is dropped', () => {
    const wire = new DatagramWire({ pinsets: [bank()] }, { proves: () => false });
    wire.fromClient(helloOf(HOST));
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ reason: 'no-proof' }]);
  });

  /** Its path has to be asked for. */
  const above = pin('spki-sha256', genuinePin.key, { at: 'path' });
  const checked = bank({
    pins: [above],
    situations: { ...bank().situations, checks: { ...bank().situations.checks, validity: 'on' } },
  });

  it('holds what completes the Certificate while a path is asked for', () => {
    const asked: ((facts: ChainFacts) => void)[] = [];
    const examiner = { examine: (_: ExamineRequest, done: (facts: ChainFacts) => void) => void asked.push(done) };
    for (const [facts, verdict] of [
      [FACTS, 'accept'],
      [{ ...FACTS, leafValidAt: false }, 'drop'],
    ] as const) {
      const wire = new DatagramWire({ pinsets: [checked] }, { examiner });
      wire.fromClient(helloOf(HOST));
      expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('held');
      asked.pop()!(facts);
      expect(wire.answers.get(2)).toBe(verdict);
      wire.finish();
    }
    const wire = new DatagramWire({ pinsets: [checked] }, { examiner });
    wire.fromClient(helloOf(HOST));
    wire.fromServer(handshake(...flightOf(GENUINE)));
    wire.wait(LIMIT_DEFAULTS.holdTime + 1);
    expect(wire.answers.get(2)).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ reason: 'overload' }]);
  });

  it('holds so many datagrams only, and counts the others', () => {
    const limits = { ...LIMIT_DEFAULTS, heldPackets: 2 };
    const wire = new DatagramWire({ pinsets: [checked], limits }, { examiner: { examine: () => undefined } });
    wire.fromClient(helloOf(HOST));
    const again = [1, 2, 3].map(() => wire.fromServer(handshake(...flightOf(GENUINE))));
    expect(again).toEqual(['held', 'held', 'drop']);
    expect(wire.engine.counters.limits.heldPackets).toBe(1);
    wire.wait(LIMIT_DEFAULTS.holdTime - 1);
    expect(wire.answers.get(2)).toBe('held');
    wire.wait(2);
    expect([2, 3].map((id) => wire.answers.get(id))).toEqual(['drop', 'drop']);
    expect(wire.engine.counters.limits.holdTime).toBe(1);
  });

  it('is not waited for once it is forgotten', () => {
    const examiner = { examine: () => undefined };
    const wire = new DatagramWire({ pinsets: [checked] }, { examiner });
    wire.fromClient(helloOf(HOST));
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('held');
    wire.engine.finish();
    expect(wire.engine.waits).toBe(false);
    wire.wait(10_000);
    expect(wire.engine.counters.limits.holdTime).toBe(0);
  });

  it('is judged by a configuration that comes in between', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    const other = pinset(0, { match: match({ hosts: [HOST] }) });
    wire.reload({ pinsets: [other] });
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('drop');
  });

  it.each([
    [
      'TLS 1.3',
      { supportedVersions: [0xfefc] },
      tls.serverHello({ suite: 0x1301, selectedVersion: 0xfefc }),
      'no-certificate',
    ],
    ['an anonymous suite', { suites: [0x0034] }, tls.serverHello(0x0034), 'anonymous'],
    ['a suite with a shared key', { suites: [0x008c] }, tls.serverHello(0x008c), 'anonymous'],
  ])('with %s is dropped', (_, fields, answer, reason) => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST, fields));
    expect(wire.fromServer(handshake(...dtls.fragments(dtls.overDatagrams(answer), 0)))).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason }]);
  });

  it('of a session that nobody here knows is dropped, unless resumed says accept', () => {
    const ccs = dtls.dtlsRecord(20, Buffer.of(1));
    const answer = handshake(...dtls.fragments(dtls.overDatagrams(tls.serverHello()), 0));
    for (const [resumed, verdict] of [
      ['bound', 'drop'],
      ['accept', 'accept'],
    ] as const) {
      const wire = new DatagramWire({ pinsets: [bankWith({ resumed })] });
      wire.fromClient(helloOf(HOST, { ticket: Buffer.from('ticket') }));
      expect(wire.fromServer(Buffer.concat([answer, ccs]))).toBe(verdict);
      expect(wire.verdicts).toMatchObject([{ reason: 'resumed-unbound' }]);
    }
  });
});

describe('where a host pinset could apply', () => {
  it('what comes without a hello does not pass', () => {
    for (const datagram of [data, goesOn.subarray(-73)]) {
      const wire = new DatagramWire({ pinsets: [bank()] });
      expect(wire.fromClient(datagram)).toBe('drop');
      expect(wire.verdicts).toMatchObject([{ reason: 'midstream' }]);
    }
    expect(new DatagramWire({ pinsets: [bank()] }).fromServer(handshake(...flightOf(GENUINE)))).toBe('drop');
  });

  it('after a restart an undecided handshake is denied', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    wire.restart({ pinsets: [bank()] });
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('drop');
    expect(wire.fromClient(helloOf(HOST))).toBe('accept');
    expect(wire.fromServer(handshake(...flightOf(GENUINE)))).toBe('accept');
  });
});

it('another name is nobody’s', () => {
  const wire = new DatagramWire({ pinsets: [bank()] });
  expect(wire.fromClient(helloOf('www.other.example'))).toBe('accept');
  expect(wire.fromServer(handshake(...flightOf(FORGED)))).toBe('accept');
  expect(wire.fromClient(goesOn)).toBe('accept');
  expect(wire.connmark).toBe(ACCEPT);
});

it('a client that begins anew is judged anew, whatever was decided', () => {
  const wire = new DatagramWire({ pinsets: [bank()] });
  wire.fromClient(helloOf('www.other.example'));
  wire.fromServer(handshake(...flightOf(FORGED)));
  wire.fromClient(goesOn);
  expect(wire.connmark).toBe(ACCEPT);
  wire.fromClient(helloOf(HOST, { random: Buffer.alloc(32, 0x99) }));
  expect(wire.connmark).toBe(PENDING);
  expect(wire.fromServer(handshake(...flightOf(FORGED)))).toBe('drop');
  expect(wire.fromServer(data)).toBe('drop');
});

describe('a hello with another random', () => {
  const hello = dtls.withCookie(tls.clientHelloMessage({ name: HOST, random: Buffer.alloc(32, 0x99) }));
  const answered = () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    wire.fromServer(handshake(...flightOf(GENUINE)));
    return wire;
  };

  it('that answers a HelloVerifyRequest begins nothing anew', () => {
    const wire = answered();
    expect(wire.fromClient(handshake(...dtls.fragments(hello, 1)))).toBe('drop');
    wire.finish();
    expect(wire.verdicts).toMatchObject([
      { action: 'accept', reason: 'pin-match' },
      { action: 'drop', reason: 'overlap-conflict' },
    ]);
  });

  it('of which the rest alone has come begins nothing anew', () => {
    const wire = answered();
    expect(wire.fromClient(handshake(dtls.fragments(hello, 0, 60)[1]!))).toBe('accept');
    expect(wire.fromClient(goesOn)).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match' }]);
  });
});

describe('where nothing is decided when it ends', () => {
  it('what is refused says why', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(helloOf(HOST));
    expect(wire.fromClient(goesOn)).toBe('drop');
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete', fault: 'dtls.record.early' }]);
  });

  it('in a capture nothing is refused, and nothing is said to be', () => {
    const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
    wire.fromClient(helloOf(HOST));
    expect(wire.fromClient(goesOn)).toBe('accept');
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete', fault: null }]);
  });
});

it('what a capture has decided is said at its end', () => {
  const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
  wire.fromClient(helloOf(HOST));
  wire.fromServer(handshake(...flightOf(GENUINE)));
  wire.fromClient(goesOn);
  expect(wire.verdicts).toEqual([]);
  wire.finish();
  expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match' }]);
});
