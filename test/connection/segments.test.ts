import { describe, expect, it } from 'vitest';

import { FLAG } from '../../src/packet/batch.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import {
  ACCEPT,
  bank,
  bankWith,
  DENY,
  forgedFlight,
  genuineFlight,
  hasForged,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { type SegmentFields, Wire } from '../support/wire.ts';

const { rst, fin, ack, psh } = TCP_FLAG;
const hello = tls.clientHello(HOST);
const half = 500;
const [head, tail] = [genuineFlight.subarray(0, half), genuineFlight.subarray(half)];

function greeted(options = {}): Wire {
  const wire = opened({}, options);
  wire.fromClient(hello);
  return wire;
}

/** The server's octets from `offset` of its stream on, without moving its numbers. */
function at(wire: Wire, offset: number, octets: Uint8Array, fields: SegmentFields = {}) {
  return wire.fromServer(octets, { seq: seqAdd(firstOf(wire), offset), ...fields });
}

const first = new WeakMap<Wire, number>();
function firstOf(wire: Wire): number {
  if (!first.has(wire)) first.set(wire, wire.serverSeq);
  return first.get(wire)!;
}

/** All of the genuine flight arrives, and the client acknowledges it. */
function completes(wire: Wire): void {
  at(wire, 0, genuineFlight);
  wire.wait(31);
  wire.fromClient('');
  expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
  expect(wire.connmark).toBe(ACCEPT);
}

describe('a segment that the client would not take does not count, and is not forwarded', () => {
  it.each<[string, SegmentFields]>([
    ['a bad checksum', { badChecksum: true }],
    ['no flags at all', { flags: 0 }],
    ['data without ACK', { flags: psh }],
    ['an urgent pointer', { urgent: true }],
    ['a signature (RFC 2385)', { options: Uint8Array.of(19, 18, ...Array<number>(16).fill(7), 1, 1) }],
    ['a signature (RFC 5925)', { options: Uint8Array.of(29, 4, 1, 1) }],
    ['a cut packet', { packetFlags: FLAG.truncated }],
    ['options that do not fit', { options: Uint8Array.of(1, 1, 1, 8) }],
    ['a reset that carries data', { flags: rst | ack }],
    ['SYN with data of the stream', { flags: TCP_FLAG.syn | ack }],
    ['FIN and SYN', { flags: TCP_FLAG.syn | fin }],
  ])('%s', (_what, fields) => {
    const wire = greeted();
    expect(at(wire, 0, forgedFlight, fields).verdict).toBe('drop');
    expect(wire.verdicts).toEqual([]);
    completes(wire);
  });

  it('a checksum that the device is still to fill in is not one', () => {
    const wire = greeted();
    at(wire, 0, forgedFlight, { badChecksum: true, packetFlags: FLAG.csumNotReady });
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it('an urgent pointer ahead of the octet that it means', () => {
    expect(at(greeted(), 0, Buffer.alloc(0), { urgent: true }).verdict).toBe('drop');
  });

  it('a timestamp older than the last (RFC 7323 §5.3)', () => {
    const stamped = (value: number) => ({ options: Uint8Array.of(1, 1, 8, 10, 0, 0, 0, value, 0, 0, 0, 1) });
    const wire = greeted();
    at(wire, 0, head, stamped(200));
    expect(at(wire, half, forgedFlight.subarray(half), stamped(100)).verdict).toBe('drop');
    at(wire, half, tail, stamped(200));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
  });
});

describe('overlapping segments', () => {
  it('with the same octets are retransmissions', () => {
    const wire = greeted();
    at(wire, 0, head);
    at(wire, 100, genuineFlight.subarray(100, half + 100));
    at(wire, 0, genuineFlight);
    wire.wait(31);
    wire.fromClient('');
    expect(wire.atClient.stream.equals(genuineFlight)).toBe(true);
    expect(wire.connmark).toBe(ACCEPT);
  });

  it.each([
    ['of what was delivered', 0, half - 1],
    ['of what waits behind a gap', half + 10, half + 20],
  ])('with other octets %s deny the flow, whichever came first', (_what, offset, differs) => {
    const wire = greeted();
    if (offset === 0) at(wire, 0, head);
    else at(wire, offset, genuineFlight.subarray(offset, offset + 200));
    const changed = Buffer.from(genuineFlight);
    changed[differs]! ^= 1;
    at(wire, 0, changed);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'overlap-conflict' }]);
    expect(wire.verdicts[0]!.fault).toBe('tcp.server.conflict');
  });

  it("with other octets of an unpinned flow's are dropped, and the flow goes on", () => {
    const wire = new Wire({
      pinsets: [bank({ match: { ...bank().match, ports: [[8443, 8443]] } })],
      rules: [],
      log: { unpinned: true, certificates: 'pins', stats: 0 },
    }).open();
    wire.fromServer('220 hello\r\n');
    const answer = wire.fromServer('220 hallo\r\n', { seq: seqAdd(wire.serverSeq, -11) });
    expect(answer.verdict).toBe('drop');
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.atClient.stream.toString()).toBe('220 hello\r\n');
  });

  it('after the decision are compared until the client has acknowledged it', () => {
    const wire = greeted();
    at(wire, 0, genuineFlight, { lost: true });
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
    expect(at(wire, 0, forgedFlight).verdict).toBe('drop');
    expect(at(wire, 100, forgedFlight.subarray(100)).verdict).toBe('drop');
    wire.fromClient('');
    expect(wire.connmark).toBe(PENDING);
    expect(at(wire, 0, genuineFlight).verdict).toBe('accept');
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
    expect(hasForged(wire)).toBe(false);
  });

  it("of the client's with other octets deny the flow too", () => {
    const wire = opened();
    wire.fromClient(hello.subarray(0, 60));
    const other = tls.clientHello('ww2.bank.example');
    wire.fromClient(other, { seq: seqAdd(wire.clientSeq, -60) });
    expect(wire.verdicts).toEqual([]);
    const changed = Buffer.from(other);
    changed[20]! ^= 1;
    const again = opened();
    again.fromClient(hello.subarray(0, 60));
    again.fromClient(changed, { seq: seqAdd(again.clientSeq, -60) });
    expect(again.verdicts).toMatchObject([{ reason: 'overlap-conflict', fault: 'tcp.client.conflict' }]);
  });
});

describe('octets that the client acknowledged', () => {
  it('sent again with any value are forwarded: it does not look at them', () => {
    const wire = greeted();
    at(wire, 0, head);
    wire.wait(31);
    wire.fromClient('');
    expect(at(wire, 0, forgedFlight.subarray(0, half)).verdict).toBe('accept');
    at(wire, half, tail);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-match' }]);
  });
});

describe('order and duplication', () => {
  it('out of order: what lies ahead of the gap is forwarded, what closes it decides', () => {
    const wire = greeted();
    at(wire, half, forgedFlight.subarray(half));
    wire.wait(31);
    expect(wire.held).toBe(0);
    expect(wire.verdicts).toEqual([]);
    at(wire, 0, forgedFlight.subarray(0, half));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
    expect(hasForged(wire)).toBe(false);
  });

  it.each([0, 1000, 0x7ffffff0, 0xffffff00, 0xfffffff0])('across the wrap of sequence numbers, from %d', (isn) => {
    for (const flight of [genuineFlight, forgedFlight]) {
      const wire = greeted({ isn });
      for (let from = 0; from < flight.length; from += 100) at(wire, from, flight.subarray(from, from + 100));
      wire.wait(31);
      wire.fromClient('');
      const isGenuine = flight === genuineFlight;
      expect(wire.verdicts).toMatchObject([{ reason: isGenuine ? 'pin-match' : 'pin-mismatch' }]);
      expect(wire.connmark).toBe(isGenuine ? ACCEPT : DENY);
    }
  });

  it('one octet a segment, each twice', () => {
    const wire = greeted();
    for (let from = 0; from < forgedFlight.length; from++) {
      at(wire, from, forgedFlight.subarray(from, from + 1));
      at(wire, from, forgedFlight.subarray(from, from + 1));
      wire.fromClient('');
    }
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
    expect(hasForged(wire)).toBe(false);
    wire.finish();
  });
});

describe('keep-alives and window probes', () => {
  it('one octet before the next count for nothing', () => {
    const wire = greeted();
    expect(at(wire, -1, Buffer.from('?')).verdict).toBe('accept');
    at(wire, 0, head);
    expect(at(wire, half - 1, Buffer.from([genuineFlight[half - 1]!])).verdict).not.toBe('drop');
    completes(wire);
  });
});

describe('resets and FINs that the client does not take', () => {
  it('end nothing: what comes after them is inspected', () => {
    for (const flags of [rst, rst | ack, fin | ack]) {
      const wire = greeted();
      at(wire, 40_000, Buffer.alloc(0), { flags });
      wire.wait(1000);
      at(wire, 0, forgedFlight);
      expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
      expect(hasForged(wire)).toBe(false);
    }
  });

  it('a FIN in the midst of the flight hides no octet behind it', () => {
    const wire = greeted();
    at(wire, 0, forgedFlight.subarray(0, half), { flags: fin | ack });
    at(wire, half, forgedFlight.subarray(half));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it('the connection that they seem to end is forgotten only in time, and then denied', () => {
    const wire = greeted();
    at(wire, 40_000, Buffer.alloc(0), { flags: rst });
    wire.wait(31_000);
    expect(wire.engine.flows).toBe(0);
    at(wire, 0, forgedFlight);
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(PENDING);
  });
});

describe('an acknowledgment of octets that never came by', () => {
  it('means that one direction takes another way: incomplete', () => {
    const wire = greeted();
    wire.fromClient('', { ack: seqAdd(wire.serverSeq, 5000) });
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete', fault: 'tcp.unseen-octets' }]);
  });

  it('of a FIN is none', () => {
    const wire = greeted();
    at(wire, 0, head);
    wire.wait(31);
    at(wire, half, Buffer.alloc(0), { flags: fin | ack });
    wire.fromClient('', { ack: wire.atClient.next! });
    expect(wire.verdicts).toEqual([]);
  });

  it("of the server's says nothing", () => {
    const wire = greeted();
    at(wire, 0, head, { ack: seqAdd(wire.clientSeq, 5000) });
    expect(wire.verdicts).toEqual([]);
  });
});

describe('limits of a stream', () => {
  const limits = { ...LIMIT_DEFAULTS, outOfOrderBytes: 2000, holes: 2, bytesPerDirection: 4000 };

  it('further ahead, or one gap too many: dropped, and TCP sends it again', () => {
    const wire = opened({ limits });
    wire.fromClient(hello);
    expect(at(wire, 1999, Buffer.from('xx')).verdict).toBe('drop');
    for (const offset of [100, 200])
      expect(at(wire, offset, genuineFlight.subarray(offset, offset + 1)).verdict).not.toBe('drop');
    expect(at(wire, 300, genuineFlight.subarray(300, 301)).verdict).toBe('drop');
    expect(wire.engine.counters.limits.outOfOrderBytes).toBe(2);
    completes(wire);
  });

  it('more octets than a handshake has: limit', () => {
    const wire = opened({ limits });
    wire.fromClient(hello);
    const large = tls.record(
      22,
      Buffer.concat([tls.serverHello(), Buffer.from('0b00ffff', 'hex'), Buffer.alloc(5000)]),
    );
    for (let from = 0; from < large.length; from += 500) at(wire, from, large.subarray(from, from + 500));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'limit', fault: 'tcp.server.bytes' }]);
    expect(wire.engine.counters.limits.bytesPerDirection).toBe(1);
  });

  it('also of a client that never ends its hello', () => {
    const wire = opened({ limits });
    const large = tls.record(22, Buffer.concat([Buffer.from('0100ffff', 'hex'), Buffer.alloc(5000)]));
    for (let from = 0; from < large.length; from += 500) wire.fromClient(large.subarray(from, from + 500));
    expect(wire.verdicts).toMatchObject([{ reason: 'limit', fault: 'tcp.client.bytes' }]);
  });

  it.each([
    ['records', tls.records(22, Buffer.concat([tls.serverHello(), tls.certificateMessageOf(Buffer.alloc(2_100))]), 1)],
    [
      'certificates',
      tls.record(
        22,
        Buffer.concat([tls.serverHello(), tls.certificateMessageOf(...Array<Buffer>(17).fill(Buffer.from('x')))]),
      ),
    ],
    ['handshakeBytes', tls.record(22, Buffer.concat([tls.serverHello(), Buffer.from('0b0fffff', 'hex')]))],
  ] as const)('%s', (name, octets) => {
    const wire = greeted();
    for (let from = 0; from < octets.length; from += 1000) at(wire, from, octets.subarray(from, from + 1000));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'limit' }]);
    expect(wire.engine.counters.limits[name]).toBe(1);
  });

  it('are situations: parseError may accept, also at them', () => {
    const wire = opened({ pinsets: [bankWith({ parseError: 'accept' })], limits });
    wire.fromClient(hello);
    at(wire, 0, tls.record(22, Buffer.concat([tls.serverHello(), Buffer.from('0b0fffff', 'hex')])));
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'limit' }]);
  });
});

describe('a handshake that takes too long', () => {
  it('is incomplete after ten seconds, counted from the first octet of the hello', () => {
    const wire = opened();
    wire.wait(60_000);
    wire.fromClient(hello);
    wire.wait(9_999);
    expect(wire.verdicts).toEqual([]);
    wire.wait(1_000);
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'incomplete' }]);
    at(wire, 0, forgedFlight);
    expect(hasForged(wire)).toBe(false);
  });

  it('one octet now and then does not prolong it', () => {
    const wire = opened();
    wire.fromClient(hello.subarray(0, 1));
    for (let i = 1; i < 12; i++) {
      wire.wait(1000);
      wire.fromClient(hello.subarray(i, i + 1));
    }
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete' }]);
  });
});
