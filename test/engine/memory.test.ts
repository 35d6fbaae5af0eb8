/** The memory of a queue's connections: one budget for all of them, `limits.bufferBytes`, and who goes where it is spent. */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { PAGE_COST } from '../../src/tcp/page-pool.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { bank, forgedFlight, genuineFlight, HOST } from '../support/flows.ts';
import { ManyWires } from '../support/many-wires.ts';
import * as tls from '../support/tls-bytes.ts';

const HELLO = tls.clientHello(HOST);
/** An open connection of which nothing is kept. */
const BASE = 6 * 1024;
const AHEAD = 16;

const wiresWith = (bufferBytes: number) =>
  new ManyWires({ pinsets: [bank()], limits: { ...LIMIT_DEFAULTS, bufferBytes } });

/** Single octets, each ahead of a gap of its own and on a page of its own. */
function scatter(wires: ManyWires, client: number, count = AHEAD): void {
  for (let at = 1; at <= count; at++) wires.fromClient(client, 'x', { at: at * 3_000 });
}

describe('what is counted', () => {
  it('counts what a connection costs: single octets ahead of gaps, octets that a message gathers, the connection itself', () => {
    const wires = wiresWith(LIMIT_DEFAULTS.bufferBytes);
    wires.open(1);
    expect(wires.engine.bufferedBytes).toBe(0);
    wires.fromClient(1, 'x', { at: 3_000 });
    expect(wires.engine.bufferedBytes).toBe(BASE + PAGE_COST);
    scatter(wires, 1);
    expect(wires.engine.bufferedBytes).toBe(BASE + AHEAD * PAGE_COST);
    wires.open(2);
    wires.fromClient(2, HELLO);
    wires.fromServer(2, genuineFlight.subarray(0, 700));
    const copies = 2 * PAGE_COST;
    expect(wires.engine.bufferedBytes).toBe(BASE + AHEAD * PAGE_COST + BASE + copies + HELLO.length + 700);
  });

  it('is nothing once all are settled, reset or forgotten', () => {
    const wires = wiresWith(LIMIT_DEFAULTS.bufferBytes);
    for (const [client, flight] of [
      [1, genuineFlight],
      [2, forgedFlight],
    ] as const) {
      wires.open(client);
      wires.fromClient(client, HELLO);
      wires.fromServer(client, flight);
      wires.fromClient(client, '', { acknowledges: flight.length });
      wires.fromClient(client, '', { acknowledges: flight.length });
    }
    wires.open(3);
    scatter(wires, 3);
    wires.finish();
    expect(wires.engine.bufferedBytes).toBe(0);
  });
});

describe('a queue whose memory is spent', () => {
  const each = BASE + AHEAD * PAGE_COST;
  const budget = 8 * each;

  it('gives up strangers, the largest first, before any whose client has said its hello', () => {
    const wires = wiresWith(budget);
    // More than any stranger: it stays all the same.
    wires.open(1);
    wires.fromClient(1, HELLO);
    for (let at = 1; at <= AHEAD; at++) wires.fromServer(1, 'x', { at: 8_000 + at * 3_000 });
    wires.open(2);
    wires.fromClient(2, 'E', { at: 3_000 });
    for (let client = 3; client < 100; client++) {
      wires.open(client);
      scatter(wires, client);
      expect(wires.engine.bufferedBytes).toBeLessThanOrEqual(budget);
    }
    expect(wires.engine.counters.limits.bufferBytes).toBeGreaterThan(80);
    expect(wires.fromServer(1, genuineFlight)).toBe('accept');
    expect(wires.verdicts).toMatchObject([{ reason: 'pin-match' }]);
    expect(wires.fromClient(2, 'x', { at: 6_000 })).toBe('accept');
  });

  it('denies who was given up when it goes on', () => {
    const wires = wiresWith(budget);
    for (let client = 1; client <= 9; client++) {
      wires.open(client);
      scatter(wires, client);
    }
    const gone = [1, 2, 3, 4, 5, 6, 7, 8, 9].filter((client) => wires.markOf(client) !== 0 && isReset(wires, client));
    expect(gone.length).toBe(wires.engine.counters.limits.bufferBytes);
    expect(gone.length).toBeGreaterThan(0);
    expect(wires.verdicts.filter(({ reason }) => reason === 'midstream').length).toBe(gone.length);
  });

  it('gives up nobody at its edge', () => {
    const wires = wiresWith(budget);
    for (let client = 1; client <= 8; client++) {
      wires.open(client);
      scatter(wires, client);
    }
    expect(wires.engine.bufferedBytes).toBe(budget);
    expect(wires.engine.counters.limits.bufferBytes).toBe(0);
    wires.open(9);
    wires.fromClient(9, 'x', { at: 3_000 });
    expect(wires.engine.counters.limits.bufferBytes).toBe(2);
  });

  it('of those that have said their hello gives up the largest', () => {
    const wires = wiresWith(budget);
    for (let client = 1; client <= 30; client++) {
      wires.open(client);
      wires.fromClient(client, HELLO);
      const ahead = client === 1 ? 0 : AHEAD;
      for (let at = 1; at <= ahead; at++) wires.fromServer(client, 'x', { at: 8_000 + at * 3_000 });
    }
    expect(wires.engine.counters.limits.bufferBytes).toBeGreaterThan(20);
    expect(wires.fromServer(1, forgedFlight)).not.toBe('drop');
    expect(wires.verdicts.at(-1)).toMatchObject({ reason: 'pin-mismatch', client: { port: ManyWires.portOf(1) } });
  });
});

/** Whether the client's next octets become a reset. */
function isReset(wires: ManyWires, client: number): boolean {
  wires.fromClient(client, HELLO);
  return wires.lastFlags !== undefined && (wires.lastFlags & TCP_FLAG.rst) !== 0;
}
