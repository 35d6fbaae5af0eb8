/**
 * A gateway with one interface for both sides (a router on a stick, a bridge): what tells a client from whoever writes its
 * address into a packet is the address on the link, where there is one.
 */
import { describe, expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { ACCEPT, bank, forgedFlight, genuineFlight, hasForged, HOST, opened, PENDING } from '../support/flows.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const { syn, ack } = TCP_FLAG;
/** Two that differ in their last octet alone, and one in its first. */
const LINK = { client: 0x02_00_00_00_00_01, server: 0x02_00_00_00_00_02, another: 0x06_00_00_00_00_01 };
const FORGED_BY = { inLink: LINK.server };
const HELLO = tls.clientHello(HOST);
const UNPINNED = tls.clientHello('www.other.example');

const onOneArm = () => opened({}, { oneArm: LINK });
const connecting = () => new Wire({ pinsets: [bank()] }, { oneArm: LINK });

/** A genuine flight that dies on its way to the client, and its end. */
function flightThatDies(wire: Wire): { readonly first: number; readonly end: number } {
  wire.fromClient(HELLO);
  const first = wire.serverSeq;
  wire.fromServer(genuineFlight, { lost: true });
  return { first, end: seqAdd(first, genuineFlight.length) };
}

describe('a handshake over one arm', () => {
  it('is judged as any other, and its flow counted', () => {
    const wire = onOneArm();
    wire.fromClient(HELLO);
    wire.fromServer(genuineFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.engine.counters.oneArmed).toBe(1);
  });

  it('with a forged flight is denied', () => {
    const wire = onOneArm();
    wire.fromClient(HELLO);
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
    expect(hasForged(wire)).toBe(false);
  });
});

describe('packets in the client’s name from elsewhere on the link', () => {
  it.each([LINK.server, LINK.another])('acknowledge nothing: %d', (inLink) => {
    const wire = onOneArm();
    const { first, end } = flightThatDies(wire);
    wire.fromClient('', { inLink, ack: end });
    expect(wire.connmark).toBe(PENDING);
    wire.fromServer(forgedFlight, { seq: first });
    expect(hasForged(wire)).toBe(false);
    wire.fromClient('', { ack: end });
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('say nothing before the decision, and are not forwarded', () => {
    const wire = onOneArm();
    expect(wire.fromClient(UNPINNED, { ...FORGED_BY, seq: wire.clientSeq }).verdict).toBe('drop');
    expect(wire.fromClient('', { ...FORGED_BY }).verdict).toBe('drop');
    wire.fromClient(HELLO);
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it('cannot open a connection of their own in the place of one that is open', () => {
    const wire = onOneArm();
    expect(wire.fromClient('', { ...FORGED_BY, flags: syn, seq: 77_000 }).verdict).toBe('drop');
    expect(wire.fromServer('', { flags: syn | ack, seq: 88_000, ack: 77_001 }).verdict).toBe('drop');
  });

  /** Both SYNs came by; only one of the two places can be the client's. */
  it.each([1, 6])('nor in the place of one whose SYN is answered, with %d SYNs', (times) => {
    const wire = connecting();
    wire.fromClient('', { flags: syn, seq: 1_000 });
    for (let at = 0; at < times; at++) wire.fromClient('', { ...FORGED_BY, flags: syn, seq: 77_000 + at });
    expect(wire.fromServer('', { flags: syn | ack, seq: 5_000, ack: 1_001 }).verdict).toBe('accept');
    const own = 77_000 + times - 1;
    expect(wire.fromServer('', { flags: syn | ack, seq: 5_000, ack: own + 1 }).verdict).toBe('drop');
    expect(wire.fromClient('', { ...FORGED_BY, seq: own + 1, ack: 5_001 }).verdict).toBe('drop');
    wire.clientSeq = 1_001;
    wire.serverSeq = 5_001;
    wire.atClient.start(5_001);
    wire.fromClient('');
    wire.fromClient(HELLO);
    wire.fromServer(forgedFlight);
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it('that begin first do not keep the client from its own connection, while nobody answers them', () => {
    const wire = connecting();
    for (let at = 0; at < 6; at++) wire.fromClient('', { ...FORGED_BY, flags: syn, seq: 77_000 + at });
    wire.open();
    wire.fromClient(HELLO);
    wire.fromServer(genuineFlight);
    wire.fromClient('');
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('a client whose packets come by another router from some moment on', () => {
  const BY_ANOTHER = { inLink: LINK.another };

  it('goes on with what is decided, in the queue: nothing says that the other one is the client’s', () => {
    const wire = onOneArm();
    wire.fromClient(HELLO);
    wire.fromServer(genuineFlight);
    expect(wire.fromClient('finished', BY_ANOTHER).verdict).toBe('accept');
    expect(wire.fromServer('finished').verdict).toBe('accept');
    expect(wire.connmark).toBe(PENDING);
  });

  it('is not heard before: the handshake waits for the way that it began by, and at last is given up', () => {
    const wire = onOneArm();
    wire.fromClient(HELLO);
    expect(wire.fromClient('', BY_ANOTHER).verdict).toBe('drop');
    wire.wait(11_000);
    expect(wire.verdicts).toMatchObject([{ reason: 'incomplete' }]);
  });

  it('is heard all the same where interfaces tell the ends apart', () => {
    const wire = opened();
    wire.fromClient(HELLO, { inLink: LINK.client });
    wire.fromServer(genuineFlight);
    wire.fromClient('', BY_ANOTHER);
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.engine.counters.oneArmed).toBe(0);
  });
});

it.each([
  ['the SYN', 0, LINK.client],
  ['the acknowledgment', LINK.client, 0],
])('where the link has no address for %s, it tells nobody from anybody', (_, ofSyn, ofAck) => {
  const wire = opened({}, { oneArm: { client: ofSyn, server: 0 } });
  const { end } = flightThatDies(wire);
  wire.fromClient('', { inLink: ofAck, ack: end });
  expect(wire.connmark).toBe(ACCEPT);
});

it('where the server’s packets come by the client’s interface, though its SYN left by another, it counts as one arm', () => {
  const wire = opened();
  wire.fromClient(HELLO, { inLink: 0 });
  wire.fromServer('', { inIfindex: 2 });
  expect(wire.engine.counters.oneArmed).toBe(1);
});
