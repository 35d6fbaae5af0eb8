/** Tables and budgets that genuine connections alone have filled: who is over goes ahead of who is not. */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS, type Limits } from '../../src/pins/limits.ts';
import { ACCEPT, bank, forgedFlight, genuineFlight, HOST } from '../support/flows.ts';
import { ManyWires } from '../support/many-wires.ts';
import * as tls from '../support/tls-bytes.ts';

const HELLO = tls.clientHello(HOST);
const crowd = (limits: Partial<Limits>) =>
  new ManyWires({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, ...limits } });

/** Says its hello and goes. */
function abort(wires: ManyWires, client: number): void {
  wires.open(client);
  wires.fromClient(client, HELLO);
  wires.reset(client);
}

/** It is served in the end. */
function expectServed(wires: ManyWires, client: number): void {
  wires.fromClient(client, HELLO);
  wires.fromServer(client, genuineFlight);
  wires.fromClient(client, '', { acknowledges: genuineFlight.length });
  expect([client, wires.markOf(client)]).toEqual([client, ACCEPT]);
}

describe('a full table', () => {
  it('gives up connections whose clients have gone in the midst of a handshake, and refuses nobody for them', () => {
    const wires = crowd({ flows: 8 });
    for (let client = 1; client <= 100; client += 2) {
      abort(wires, client);
      wires.open(client + 1);
      expectServed(wires, client + 1);
      wires.wait(1_000);
    }
    expect(wires.engine.counters.limits.flows).toBe(0);
  });

  it('gives them up ahead of one that is open and says nothing yet', () => {
    const wires = crowd({ flows: 8 });
    wires.open(1);
    for (let client = 2; client <= 100; client++) {
      wires.open(client);
      wires.reset(client);
      wires.wait(1_000);
    }
    expectServed(wires, 1);
  });

  it('keeps one that is remembered for the next connection of the same endpoints, which has begun', () => {
    const wires = crowd({ flows: 4 });
    wires.open(1);
    expectServed(wires, 1);
    wires.wait(3_000);
    wires.syn(1, 100_000);
    for (let client = 2; client < 12; client++) wires.open(client);
    expect(wires.synAck(1, 100_000)).toBe('accept');
  });
});

it('keeps what is remembered of endpoints while their next connection begins, though its time is over', () => {
  const wires = crowd({});
  wires.open(1);
  expectServed(wires, 1);
  wires.wait(29_500);
  wires.syn(1, 100_000);
  wires.wait(1_000);
  wires.wait(5_000);
  expect(wires.synAck(1, 100_000)).toBe('accept');
});

it('keeps the beginning of another connection while the one that its client has reset ends', () => {
  const wires = crowd({});
  abort(wires, 1);
  wires.wait(29_500);
  wires.syn(1, 100_000);
  wires.wait(1_000);
  expect(wires.synAck(1, 100_000)).toBe('accept');
});

it('tells once of a connection that took too long, however long that is', () => {
  const wires = crowd({ handshakeTimeout: 60_000 });
  const silent = new ManyWires({
    pinsets: [{ ...bank(), onMismatch: { ...bank().onMismatch, action: 'drop' } }],
    limits: { ...LIMIT_DEFAULTS, handshakeTimeout: 60_000 },
  });
  for (const each of [wires, silent]) {
    each.open(1);
    each.fromClient(1, HELLO);
    each.wait(60_001);
    expect(each.verdicts).toMatchObject([{ reason: 'incomplete' }]);
    expect(each.engine.flows).toBe(1);
  }
});

it('a smaller table than the one before has those that packets may still come of', () => {
  const [before, after] = [crowd({ flows: 8 }), crowd({ flows: 2 })];
  for (let client = 1; client <= 4; client++) {
    before.open(client);
    expectServed(before, client);
    if (client === 2) before.wait(5_000);
  }
  after.now = before.now;
  after.engine.restore(before.engine.keep());
  for (let client = 1; client <= 4; client++) after.fromClient(client, 'more');
  expect([1, 2, 3, 4].map((client) => after.markOf(client))).toEqual([0, 0, ACCEPT, ACCEPT]);
});

describe('memory that is spent', () => {
  const BASE = 6 * 1024;

  it('is taken from connections that are over, ahead of those that begin', () => {
    const wires = crowd({ bufferBytes: 12 * BASE });
    wires.open(1);
    wires.fromClient(1, HELLO.subarray(0, 3));
    for (let client = 2; client < 100; client++) abort(wires, client);
    expect(wires.engine.counters.limits.bufferBytes).toBeGreaterThan(50);
    wires.fromClient(1, HELLO.subarray(3));
    wires.fromServer(1, forgedFlight);
    expect(wires.verdicts.filter(({ client }) => client.port === ManyWires.portOf(1))).toMatchObject([
      { reason: 'pin-mismatch' },
    ]);
  });
});
