import { beforeEach, describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { ChainFacts, ExamineRequest, Questioner } from '../../src/judge/ports.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from '../support/certificates.ts';
import { chainFacts } from '../support/chain-facts.ts';
import { ACCEPT, bank, DENY, GENUINE, HOST, opened, PENDING } from '../support/flows.ts';
import { match, pin, pinset, range } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire, WireOptions } from '../support/wire.ts';

const { syn, ack } = TCP_FLAG;
const INTER = fixturePath('inter');
/** The bank's issuer is pinned: whether it stands on the path from the leaf is for the examiner. */
const onIssuer = bank({ pins: [pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!)] });
const flight = tls.serverFlight(GENUINE, INTER);
const YES = chainFacts({ onPath: [0, 1] });
const NO: ChainFacts = { ...YES, onPath: [0] };

interface Asked extends Questioner {
  readonly request: ExamineRequest;
  readonly answer: (facts: ChainFacts) => void;
}

let asked: Asked[] = [];
beforeEach(() => {
  asked = [];
});

function awaiting(fields = {}, options: WireOptions = {}): Wire {
  const wire = opened(
    { pinsets: [onIssuer], ...fields },
    { examiner: { examine: (request, answer, by) => void asked.push({ request, answer, ...by }) }, ...options },
  );
  wire.fromClient(tls.clientHello(HOST));
  return wire;
}

describe('while the examiner has not answered', () => {
  it('the packet that completed the certificate waits, past the limits of the first flight too', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    expect(asked).toMatchObject([{ request: { names: [HOST], anchors: [], trust: [] } }]);
    expect(asked[0]!.request.chain.length).toBe(2);
    wire.wait(1000);
    expect(wire.held).toBe(1);
    expect(wire.atClient.stream.length).toBe(0);
  });

  it('the octet that completed it is not taken for delivered with what a retransmission releases', () => {
    const wire = awaiting();
    const first = wire.serverSeq;
    const size = flight.length - tls.serverHelloDone.length;
    const send = (from: number, to: number) => wire.fromServer(flight.subarray(from, to), { seq: first + from });
    send(2, size - 10);
    send(0, size - 1);
    send(0, size + 1);
    send(0, size - 1);
    expect(wire.atClient.stream.length).toBe(size - 1);
    expect(send(0, size + 1).verdict).not.toBe('accept');
    asked[0]!.answer(NO);
    send(0, size + 1);
    expect(wire.atClient.stream.length).toBe(size - 1);
    expect(wire.atClient.isReset).toBe(true);
  });

  it('what comes behind it waits as well, and what the client has already does not', () => {
    const wire = awaiting();
    const first = wire.serverSeq;
    wire.fromServer(flight.subarray(0, 200));
    wire.wait(31);
    wire.fromServer(flight.subarray(200, -4));
    wire.fromServer(flight.subarray(-4));
    expect(wire.held).toBe(2);
    expect(wire.fromServer(flight.subarray(0, 200), { seq: first }).verdict).toBe('accept');
    expect(wire.fromServer('').verdict).toBe('accept');
    expect(wire.atClient.stream.length).toBe(200);
  });

  it('a repetition of what the client has does not open the way for the rest', () => {
    const wire = awaiting();
    const first = wire.serverSeq;
    wire.fromServer(flight.subarray(0, 200));
    wire.wait(31);
    wire.fromServer(flight.subarray(200));
    expect(wire.fromServer(flight.subarray(0, 200), { seq: first }).verdict).toBe('accept');
    expect(wire.fromServer(flight.subarray(200), { seq: seqAdd(first, 200) }).verdict).toBe('drop');
    expect(wire.fromServer(flight.subarray(100, 900), { seq: seqAdd(first, 100) }).verdict).not.toBe('accept');
    expect(wire.atClient.stream.length).toBe(200);
  });

  it('a retransmission is dropped: the copy that waits stands for it', () => {
    const wire = awaiting();
    const first = wire.serverSeq;
    wire.fromServer(flight);
    expect(wire.fromServer(flight, { seq: first }).verdict).toBe('drop');
    expect(wire.fromServer(flight.subarray(0, 100), { seq: first }).verdict).toBe('drop');
    expect(wire.held).toBe(1);
  });

  it('the client may go on', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    expect(wire.fromClient('').verdict).toBe('accept');
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('an answer', () => {
  it('that the pinned issuer is on the path lets everything go at once', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.wait(200);
    asked[0]!.answer(YES);
    expect(wire.atClient.stream.equals(flight)).toBe(true);
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', heldMicros: 200_000 }]);
    wire.finish();
  });

  it('that it is not denies, with the packets that waited', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    asked[0]!.answer(NO);
    expect(wire.atClient.stream.toString('hex')).toBe('1503030002022a');
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it.each([
    ['name-mismatch', { ...YES, nameMatches: false }],
    ['certificate-expired', { ...YES, leafValidAt: false }],
  ])('denies by %s: a pin above the leaf vouches for many', (reason, facts) => {
    const wire = awaiting();
    wire.fromServer(flight);
    asked[0]!.answer(facts);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason }]);
  });

  it('that was not found for want of something to spend denies as unexaminable, and says of what', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    asked[0]!.answer({ ...NO, exhausted: 'signatures' });
    expect(wire.verdicts).toMatchObject([
      { action: 'tls-alert', reason: 'unexaminable', fault: 'x509.budget.signatures' },
    ]);
    expect(wire.atClient.stream.toString('hex')).toBe('1503030002022a');
  });

  it('that was found holds, whatever was not looked at', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    asked[0]!.answer({ ...YES, exhausted: 'comparisons' });
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match', fault: null }]);
  });

  it('is awaited no longer than the flow does', () => {
    const ends: [string, (wire: Wire) => void][] = [
      ['the time is up', (wire) => wire.wait(3000)],
      ['the connection is forgotten', (wire) => wire.engine.finish()],
      ['another configuration asks anew', (wire) => wire.reload({ pinsets: [onIssuer] })],
    ];
    for (const [what, end] of ends) {
      asked = [];
      const wire = awaiting();
      wire.fromServer(flight);
      const { signal, server } = asked[0]!;
      expect([what, server.port, signal.aborted]).toEqual([what, 443, false]);
      end(wire);
      expect([what, signal.aborted]).toEqual([what, true]);
      expect(asked[1]?.signal.aborted ?? false).toBe(false);
    }
  });

  it('that comes later than anything waits is no answer: overload', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.wait(2999);
    expect(wire.held).toBe(1);
    wire.wait(1);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overload', fault: 'hold-time' }]);
    expect(wire.engine.counters.limits.holdTime).toBe(1);
    asked[0]!.answer(YES);
    expect(wire.verdicts.length).toBe(1);
    wire.fromClient('');
    expect(wire.connmark).toBe(DENY);
    wire.finish();
  });

  it('is not missed by a connection that was forgotten', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.engine.finish();
    const { length } = wire.verdicts;
    wire.wait(10_000);
    expect(wire.engine.counters.limits.holdTime).toBe(0);
    expect(wire.verdicts.length).toBe(length);
    expect(wire.engine.waits).toBe(false);
  });

  it('for a connection that was replaced or forgotten changes nothing of the one in its place', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.fromClient('', { flags: syn, seq: 9000 });
    wire.fromServer('', { flags: syn | ack, seq: 99_000, ack: 9001 });
    asked[0]!.answer(YES);
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete' }]);
    wire.wait(60_000);
    expect(wire.engine.flows).toBe(1);
    wire.finish();
    asked[0]!.answer(NO);
    expect(wire.verdicts.length).toBe(1);
  });
});

describe('another configuration, while the examiner is asked', () => {
  it("asks again, and the answer to the old question is nobody's", () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.reload({ pinsets: [onIssuer] });
    expect(asked.length).toBe(2);
    asked[0]!.answer(YES);
    expect(wire.held).toBe(1);
    asked[1]!.answer(NO);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch' }]);
  });

  it('may decide at once', () => {
    const wire = awaiting();
    wire.fromServer(flight);
    wire.reload({ pinsets: [bank()] });
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'pin-match' }]);
    expect(wire.held).toBe(0);
    const none = awaiting();
    none.fromServer(flight);
    none.reload({ pinsets: [] });
    expect(none.held).toBe(0);
    expect(none.atClient.stream.equals(flight)).toBe(true);
  });
});

describe('with a proof still to come', () => {
  const messages = [tls.serverHello(0xc02f), tls.certificateMessage(GENUINE, INTER)];
  const exchange = tls.serverKeyExchange();

  it.each([
    ['the same segment', [[...messages, exchange, tls.serverHelloDone]]],
    ['the next', [messages, [exchange, tls.serverHelloDone]]],
  ])('ServerKeyExchange in %s waits for the answer', (_where, segments) => {
    for (const proves of [true, false]) {
      asked = [];
      const wire = awaiting({}, { proves: () => proves });
      for (const parts of segments) wire.fromServer(tls.record(22, Buffer.concat(parts)));
      expect(wire.verdicts).toEqual([]);
      asked[0]!.answer(YES);
      expect(wire.verdicts).toMatchObject([{ reason: proves ? 'pin-match' : 'no-proof' }]);
      expect(wire.held).toBe(0);
    }
  });

  it('an answer ahead of ServerKeyExchange does not decide yet', () => {
    const wire = awaiting();
    wire.fromServer(tls.record(22, Buffer.concat(messages)));
    asked[0]!.answer(YES);
    expect(wire.verdicts).toEqual([]);
    wire.fromServer(tls.record(22, Buffer.concat([exchange, tls.serverHelloDone])));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
    wire.finish();
  });

  it('an answer that denies does not wait for it', () => {
    const wire = awaiting();
    wire.fromServer(tls.record(22, Buffer.concat(messages)));
    asked[0]!.answer(NO);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });
});

describe('two pinsets', () => {
  const address = pinset(1, {
    match: match({ addresses: [range('198.51.100.7')] }),
    pins: onIssuer.pins,
    names: ['x'],
  });

  it('ask one question each, and the second answer decides, whichever it is', () => {
    for (const order of [
      [0, 1],
      [1, 0],
    ]) {
      asked = [];
      const wire = awaiting({ pinsets: [onIssuer, address] });
      wire.fromServer(flight);
      expect(asked.length).toBe(2);
      asked[order[0]!]!.answer(YES);
      expect(wire.held).toBe(1);
      asked[order[1]!]!.answer(NO);
      expect(wire.verdicts).toMatchObject([{ action: 'tls-alert' }]);
    }
  });

  it('of which one fails already ask nothing', () => {
    const wire = awaiting({ pinsets: [onIssuer, { ...address, pins: [pin('cert-sha256', 'aa'.repeat(32))] }] });
    wire.fromServer(flight);
    expect(asked).toEqual([]);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'pin-mismatch', pinset: 'pinset-1' }]);
  });
});

it('held packets are bounded: past the limit of a flow they are dropped, and TCP sends them again', () => {
  const wire = awaiting();
  wire.fromServer(flight);
  const ticket = tls.record(22, tls.newSessionTicket(Buffer.alloc(2000)));
  const verdicts = Array.from({ length: 80 }, (_, i) => wire.fromServer(ticket.subarray(i * 20, i * 20 + 20)).verdict);
  expect(verdicts).toEqual([...Array<string>(63).fill('held'), ...Array<string>(17).fill('drop')]);
  expect(wire.engine.counters.limits.heldPackets).toBe(17);
  asked[0]!.answer(YES);
  expect(wire.held).toBe(0);
  expect(wire.atClient.stream.length).toBe(flight.length + 63 * 20);
  expect(wire.fromServer(ticket.subarray(1260), { seq: wire.atClient.next! }).verdict).toBe('accept');
  wire.finish();
});
