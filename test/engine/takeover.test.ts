/** One engine takes over from another: what is decided stays decided, sessions stay bound, and what is open is told. */
import { expect, it } from 'vitest';

import { TCP_FLAG } from '../../src/packet/tcp.ts';
import {
  ACCEPT,
  bank,
  bankWith,
  DENY,
  forgedFlight,
  GENUINE,
  genuineFlight,
  hasForged,
  HOST,
  opened,
  PENDING,
} from '../support/flows.ts';
import { finish, full, handshake, resume } from '../support/handshakes.ts';
import * as tls from '../support/tls-bytes.ts';
import { Wire } from '../support/wire.ts';

const hello = tls.clientHello({ name: HOST });
const pinned = { pinsets: [bank()] };

function greeted(): Wire {
  const wire = opened();
  wire.fromClient(hello);
  return wire;
}

it('an accepted connection goes on, and its mark is written with the client’s next packet where it was not yet', () => {
  const wire = greeted();
  wire.fromServer(genuineFlight);
  wire.fromClient('');
  // The mark went with a packet that a queue lost behind the engine.
  wire.connmark = PENDING;
  wire.takeOver(pinned);
  expect(wire.fromServer('later').verdict).toBe('accept');
  expect(wire.fromClient('later').verdict).toBe('accept');
  expect(wire.connmark).toBe(ACCEPT);
  expect(wire.atServer.isReset || wire.atClient.isReset).toBe(false);
});

it.each([1_000, 600_000])('one whose client has nothing to say for long goes on, %i ms after and before', (before) => {
  const wire = new Wire(pinned).open();
  const sessionId = Buffer.alloc(32, 5);
  wire.fromClient(hello);
  wire.fromServer(handshake(tls.serverHello({ sessionId }), tls.certificateMessage(GENUINE), tls.serverHelloDone));
  wire.fromClient(tls.clientFinish);
  wire.fromServer(finish);
  wire.fromClient('');
  expect(wire.connmark).toBe(PENDING);
  wire.wait(before);
  for (let times = 0; times < 2; times++) {
    wire.takeOver(pinned);
    wire.wait(600_000);
    expect(wire.fromServer('notice').verdict).toBe('accept');
    wire.wait(600_000);
  }
  expect(wire.fromClient('later').payload).toBeUndefined();
  expect(wire.connmark).toBe(ACCEPT);
  wire.wait(60_000);
  expect(wire.engine.flows).toBe(0);
});

it('one whose client has not acknowledged what the decision rests on is undecided again', () => {
  const wire = greeted();
  const first = wire.serverSeq;
  wire.fromServer(genuineFlight, { lost: true });
  wire.takeOver(pinned);
  wire.fromServer(forgedFlight, { seq: first });
  expect(hasForged(wire)).toBe(false);
  expect(wire.connmark).toBe(PENDING);
});

const NAMED = {
  id: 0,
  client: Uint8Array.of(10, 1, 2, 3),
  clientPort: 51514,
  server: Uint8Array.of(198, 51, 100, 7),
  serverPort: 443,
};

it('who was accepted is known long after its flow is forgotten, until somebody else has its ends', () => {
  const wire = greeted();
  expect(wire.engine.acceptedOf([NAMED])).toEqual([]);
  wire.fromServer(genuineFlight);
  wire.fromClient('');
  expect(wire.engine.acceptedOf([{ ...NAMED, clientPort: 51515 }, NAMED])).toEqual([1]);
  wire.wait(600_000);
  expect(wire.engine.flows).toBe(0);
  expect(wire.engine.acceptedOf([NAMED])).toEqual([0]);
  wire.open();
  expect(wire.engine.acceptedOf([NAMED])).toEqual([]);
  wire.fromClient(hello);
  wire.fromServer(forgedFlight);
  expect(wire.engine.acceptedOf([NAMED])).toEqual([]);
});

it('who was accepted of late is known to the next engine', () => {
  const wire = greeted();
  wire.fromServer(genuineFlight);
  wire.fromClient('');
  wire.takeOver(pinned);
  expect(wire.engine.acceptedOf([NAMED])).toEqual([0]);
});

it('an undecided one is reset at both ends', () => {
  const wire = greeted();
  wire.takeOver(pinned);
  wire.fromServer(genuineFlight);
  expect(wire.atClient.isReset).toBe(true);
  wire.fromClient(hello, { seq: wire.clientSeq });
  expect(wire.atServer.isReset).toBe(true);
  expect(wire.verdicts.map(({ action, reason }) => `${action} ${reason}`)).toContain('drop incomplete');
});

it('who was denied stays denied, and is not told again', () => {
  const wire = greeted();
  wire.fromServer(forgedFlight);
  wire.fromClient(hello, { seq: wire.clientSeq - hello.length });
  wire.takeOver(pinned);
  // A mark of a packet that was dropped may not have been written.
  wire.connmark = PENDING;
  expect(wire.fromServer(forgedFlight, { seq: wire.serverSeq - forgedFlight.length })).toMatchObject({
    verdict: 'drop',
  });
  expect(wire.connmark).toBe(DENY);
  expect(wire.verdicts.length).toBe(1);
});

it.each([
  ['of the same configuration', {}, 'resumed-bound'],
  ['of another one', { hash: 'sha256:01' }, 'resumed-unbound'],
])('a session that was bound that meets an engine %s', (_, policy, reason) => {
  const wire = new Wire({ pinsets: [bankWith({ resumed: 'bound' })] });
  full(wire, { ticket: Buffer.from('ticket') });
  wire.takeOver({ ...policy, pinsets: [bankWith({ resumed: 'bound' })] });
  expect(resume(wire, { ticket: Buffer.from('ticket') })).toMatchObject({ reason });
});

it('a session lives no longer for it', () => {
  const wire = new Wire({ pinsets: [bankWith({ resumed: 'bound' })] });
  full(wire, { ticket: Buffer.from('ticket') });
  wire.wait(80_000_000);
  wire.takeOver({ pinsets: [bankWith({ resumed: 'bound' })] });
  wire.wait(10_000_000);
  expect(resume(wire, { ticket: Buffer.from('ticket') })).toMatchObject({ reason: 'resumed-unbound' });
});

it('while it is to give place, nothing new begins, and what has begun is decided', () => {
  const wire = greeted();
  wire.engine.holdsNew = true;
  expect(wire.fromClient('', { ctid: 7, flags: TCP_FLAG.syn }).verdict).toBe('drop');
  wire.fromServer(genuineFlight);
  wire.fromClient('');
  expect(wire.verdicts).toMatchObject([{ action: 'accept' }]);
  expect(wire.engine.unsettled).toBe(0);
});
