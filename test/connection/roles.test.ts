/**
 * Who is the client of a connection. A server that opens towards its client meets the client's own SYN on the way
 * (RFC 9293 §3.5); were it taken for the client, nothing that it shows would be looked at.
 */
import { describe, expect, it } from 'vitest';

import { FLAG } from '../../src/packet/batch.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { ACCEPT, bank, DENY, forgedFlight, genuineFlight, hasForged, HOST, PENDING } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { type SegmentFields, Wire } from '../support/wire.ts';

const { syn, ack, rst } = TCP_FLAG;
const hello = tls.clientHello(HOST);
/** The server's port alone; and the client's as well. */
const PORTS = {
  'the server’s port': [[443, 443]],
  'every port': [[1, 65_535]],
} as const;
type Ports = (typeof PORTS)[keyof typeof PORTS];
const NARROW = PORTS['the server’s port'];
const WIDE = PORTS['every port'];

const wireWith = (ports: Ports) => new Wire({ pinsets: [bank()], ports });
const serverSyn = (wire: Wire, fields: SegmentFields = {}) =>
  wire.fromServer('', { flags: syn, seq: 7_000, ack: 0, ...fields }).verdict;
const clientSyn = (wire: Wire) => wire.fromClient('', { flags: syn, seq: 1_000 }).verdict;
const clientSynAck = (wire: Wire) => wire.fromClient('', { flags: syn | ack, seq: 1_000, ack: 7_001 }).verdict;

/** The client's SYN never came by; it has taken the server's, and both ends believe that they are connected. */
function crossed(ports: Ports): Wire {
  const wire = wireWith(ports);
  expect(serverSyn(wire)).toBe('accept');
  expect(clientSynAck(wire)).toBe('accept');
  wire.clientSeq = 1_001;
  wire.serverSeq = 7_001;
  wire.atClient.start(7_001);
  wire.atServer.start(1_001);
  expect(wire.fromServer('').verdict).toBe('accept');
  return wire;
}

describe.each(Object.entries(PORTS))('crossing SYNs, where connections to %s are looked at', (_, ports) => {
  it('the client’s first: the server’s is not forwarded', () => {
    const wire = wireWith(ports);
    clientSyn(wire);
    expect(serverSyn(wire)).toBe('drop');
    wire.fromServer('', { flags: rst, ack: 0 });
    expect(serverSyn(wire)).toBe('drop');
    expect(clientSynAck(wire)).toBe('drop');
  });

  it('the server’s first: the client’s SYN/ACK, which only a simultaneous open calls for, is not forwarded', () => {
    const wire = wireWith(ports);
    expect(serverSyn(wire)).toBe('accept');
    clientSyn(wire);
    expect(clientSynAck(wire)).toBe('drop');
    expect(serverSyn(wire)).toBe('drop');
    expect(clientSynAck(wire)).toBe('drop');
  });

  it.each([0, 60_000, 129_000])('the client’s %d ms ago: it is not forgotten', (gap) => {
    const wire = wireWith(ports);
    clientSyn(wire);
    wire.wait(gap);
    expect(serverSyn(wire)).toBe('drop');
  });

  it('the client’s repeated until now', () => {
    const wire = wireWith(ports);
    for (let second = 0; second < 4; second++) {
      clientSyn(wire);
      wire.wait(100_000);
    }
    expect(serverSyn(wire)).toBe('drop');
  });

  it('the client’s forgotten with the engine: conntrack’s mark remembers', () => {
    const wire = wireWith(ports);
    clientSyn(wire);
    wire.restart({ pinsets: [bank()], ports });
    expect(wire.connmark).toBe(PENDING);
    expect(serverSyn(wire)).toBe('drop');
  });

  it('or its direction', () => {
    const wire = wireWith(ports);
    wire.connmark = ACCEPT;
    expect(serverSyn(wire, { ctid: 5, packetFlags: FLAG.ctReply })).toBe('drop');
    expect(serverSyn(wire, { ctid: 6 })).toBe('accept');
  });
});

it('where only one goes to a port that is looked at, that is the client’s, and it opens its connection', () => {
  const wire = wireWith(NARROW);
  serverSyn(wire);
  wire.open();
  wire.fromClient(hello);
  wire.fromServer(forgedFlight);
  expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  expect(hasForged(wire)).toBe(false);
});

it('where both do, neither opens one, until both have been silent for as long as a client waits', () => {
  const wire = wireWith(WIDE);
  serverSyn(wire);
  clientSyn(wire);
  expect(wire.fromServer('', { flags: syn | ack, ack: 1_001 }).verdict).toBe('drop');
  wire.wait(129_000);
  expect(clientSyn(wire)).toBe('drop');
  wire.wait(131_000);
  // Conntrack has forgotten it too.
  wire.connmark = 0;
  expect(clientSyn(wire)).toBe('accept');
});

it('one in the server’s name from another side than the server’s changes nothing', () => {
  for (const isFirst of [true, false]) {
    const wire = wireWith(WIDE);
    if (isFirst) serverSyn(wire, { inIfindex: 9 });
    clientSyn(wire);
    if (!isFirst) expect(serverSyn(wire, { inIfindex: 9 })).toBe('drop');
    const answer = wire.fromServer('', { flags: syn | ack, ack: 1_001 }).verdict;
    expect(answer).toBe(isFirst ? 'drop' : 'accept');
  }
});

describe.each(Object.entries(PORTS))('a client’s SYN that never came by, where %s is looked at', (_, ports) => {
  const others = tls.clientHello('other.example');

  it.each([
    ['at once', (): void => undefined],
    [
      'behind a hello of the server’s that the client never gets',
      (wire) => void wire.fromServer(others, { lost: true }),
    ],
    ['behind words of the server’s', (wire) => void wire.fromServer('GET / HTTP/1.0\r\n\r\n', { lost: true })],
  ] satisfies [string, (wire: Wire) => void][])('its hello tells who it is: %s', (_when, before) => {
    const wire = crossed(ports);
    before(wire);
    wire.fromServer('', { ack: 1_001 });
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient(hello, { seq: 1_001 });
    wire.fromServer('', { ack: 1_001 });
    expect(wire.connmark).not.toBe(ACCEPT);
    wire.fromServer(forgedFlight, { seq: 7_001 });
    expect(hasForged(wire)).toBe(false);
    expect(wire.atServer.stream.length).toBe(0);
  });

  it('which is recorded as what it is', () => {
    const wire = crossed(ports);
    wire.fromClient(hello);
    const ends = { client: { port: 51_514 }, server: { port: 443 } };
    const fault = 'tcp.simultaneous-open';
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'parse-error', fault, ...ends }]);
  });

  it('its hello in pieces of any size', () => {
    for (const size of [1, 2, 5, 100]) {
      const wire = crossed(ports);
      for (let at = 0; at < hello.length; at += size) wire.fromClient(hello.subarray(at, at + size));
      expect(wire.atServer.stream.length).toBeLessThan(6);
      expect(wire.connmark).toBe(DENY);
    }
  });

  it('or its request for TLS, and the hello behind that', () => {
    const wire = crossed(ports);
    wire.fromServer('220 mail\r\n');
    wire.fromClient('EHLO x\r\n');
    wire.fromServer('250 STARTTLS\r\n');
    wire.fromClient('STARTTLS\r\n');
    wire.fromServer('220 go\r\n');
    wire.fromClient(hello);
    expect(wire.connmark).not.toBe(ACCEPT);
    expect(wire.atServer.stream.includes(hello)).toBe(false);
  });

  it('words in its name from the server’s own side do not count', () => {
    const wire = crossed(ports);
    wire.fromServer(others, { lost: true });
    wire.fromClient('HTTP/1.0 200 OK\r\n', { seq: 1_001, inIfindex: 3 });
    wire.fromServer('', { ack: 1_018 });
    expect(wire.connmark).toBe(PENDING);
    wire.fromClient(hello, { seq: 1_001 });
    expect(wire.atServer.stream.includes(hello)).toBe(false);
  });

  it('where a pinset only reports it makes no difference', () => {
    const wire = crossed(ports);
    wire.reload({ pinsets: [bank({ mode: 'report-only' })], ports });
    expect(wire.fromClient(hello).verdict).toBe('accept');
  });
});

describe('a client whose own port is among those where servers are expected', () => {
  /** It is the one at port 443 here, and connects to 51514. */
  function connected(ports: Ports, pinsets = [bank()]): Wire {
    const wire = new Wire({ pinsets, ports });
    expect(serverSyn(wire)).toBe('accept');
    expect(clientSynAck(wire)).toBe('accept');
    [wire.clientSeq, wire.serverSeq] = [1_001, 7_001];
    wire.atClient.start(7_001);
    wire.atServer.start(1_001);
    wire.fromServer('');
    return wire;
  }

  it.each([
    ['HTTP', 'GET / HTTP/1.0\r\n\r\n', 'HTTP/1.0 200 OK\r\n'],
    ['a greeting', '', '220 mail ESMTP\r\n'],
    ['SSH', 'SSH-2.0-x\r\n', 'SSH-2.0-y\r\n'],
  ])('reaches a port that nothing is pinned at: %s', (_, asks, answers) => {
    const wire = connected(NARROW);
    wire.fromServer(asks);
    wire.fromClient(answers);
    expect(wire.atClient.stream.toString()).toBe(asks);
    expect(wire.atServer.stream.toString()).toBe(answers);
  });

  it('reaches a TLS server there', () => {
    const wire = connected(NARROW);
    wire.fromServer(tls.clientHello('other.example'));
    wire.fromClient(genuineFlight);
    wire.fromServer('');
    expect(wire.atServer.stream.equals(genuineFlight)).toBe(true);
    expect(wire.connmark).toBe(ACCEPT);
  });

  it.each([
    [genuineFlight, 'pin-match'],
    [forgedFlight, 'pin-mismatch'],
  ])('is looked at where the other port is pinned too', (flight, reason) => {
    const wire = new Wire({ pinsets: [bank()], ports: WIDE }).open();
    wire.fromClient(hello);
    wire.fromServer(flight);
    wire.fromClient('');
    expect(wire.verdicts).toMatchObject([{ reason }]);
    expect(wire.connmark).toBe(reason === 'pin-match' ? ACCEPT : DENY);
  });

  it('keeps its connection in the queue until the other end has said something', () => {
    const wire = new Wire({ pinsets: [bank()], ports: WIDE }).open();
    wire.fromClient(tls.clientHello('other.example'));
    expect(wire.connmark).toBe(PENDING);
    wire.fromServer(genuineFlight);
    wire.fromClient('', { ack: seqAdd(wire.serverSeq, 0) });
    expect(wire.connmark).toBe(ACCEPT);
  });
});
