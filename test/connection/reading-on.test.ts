/** Which octets behind the decision are kept and compared: as long as a session rests on them, and no longer. */
import { describe, expect, it } from 'vitest';

import { ReadingOn } from '../../src/connection/reading-on.ts';
import type { Inspected, Streams } from '../../src/connection/streams.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { HalfStream, SEGMENT } from '../../src/tcp/half-stream.ts';
import { PagePool } from '../../src/tcp/page-pool.ts';
import { FIRST_SEQ, segmentAt } from '../support/gate-bench.ts';

const DECISION = 50;

class Bench {
  readonly server = new HalfStream(FIRST_SEQ, new PagePool(), LIMIT_DEFAULTS);
  readonly session = {
    isAwaited: true,
    isServerFinished: false,
    giveUp: () => void (this.session.isAwaited = false),
    onDelivered: () => void this.delivered++,
  };
  readonly continuation = {
    isAwaited: false,
    isSeen: false,
    givenUp: 0,
    giveUp: () => void this.continuation.givenUp++,
  };
  delivered = 0;
  readonly reading: ReadingOn;

  constructor(isAwaited = true, maxOctets = 1000) {
    this.session.isAwaited = isAwaited;
    const { server, session, continuation } = this;
    const inspection = { feedServer: () => undefined, feedClient: () => undefined, clientAtBoundary: true };
    const judge = { session, continuation, readsClient: false };
    const streams = { server, decisionPoint: DECISION } as unknown as Streams;
    this.reading = new ReadingOn(streams, { judge, inspection } as unknown as Inspected, maxOctets);
    this.take(0, DECISION);
    this.reading.begin();
  }

  /** As far as the decision goes: what is behind it comes along where a packet has both. */
  take(start: number, end: number, changedAt?: number): number {
    const { tcp } = segmentAt(start, end);
    if (changedAt !== undefined) tcp.bytes[tcp.dataStart + changedAt - start]! ^= 1;
    return this.server.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, () => undefined);
  }

  read(start: number, end: number, changedAt?: number): this {
    const { tcp } = segmentAt(start, end);
    if (changedAt !== undefined) tcp.bytes[tcp.dataStart + changedAt - start]! ^= 1;
    this.reading.onServerPacket(tcp, start);
    return this;
  }

  /** The octets of [0, 100) of which another copy is a conflict. */
  get compared(): number {
    return Array.from({ length: 100 }, (_, at) => this.take(0, 100, at)).filter((is) => is === SEGMENT.conflict).length;
  }
}

describe('octets behind a decision', () => {
  it('are kept while a session rests on them', () => {
    expect(new Bench().read(50, 100).compared).toBe(100);
  });

  it('are not where no session does', () => {
    const bench = new Bench(false);
    bench.take(0, 100);
    expect(bench.compared).toBe(DECISION);
  });

  it('are kept up to the server’s Finished, and not behind it', () => {
    const bench = new Bench().read(50, 80);
    bench.session.isServerFinished = true;
    bench.read(80, 90);
    bench.read(90, 100);
    expect(bench.compared).toBe(90);
  });

  it('are not any more once the session was given up, for what differs', () => {
    const bench = new Bench().read(50, 100).read(50, 100, 70);
    expect(bench.session.isAwaited).toBe(false);
    expect(bench.compared).toBe(DECISION);
  });

  it('nor for more of them than a handshake has', () => {
    const bench = new Bench(true, 20).read(50, 100);
    expect([bench.session.isAwaited, bench.compared]).toEqual([false, DECISION]);
  });

  it('are not read without a session, and the client is not waited for beyond as many', () => {
    const bench = new Bench(false, 20).read(60, 70).read(70, 71);
    expect([bench.server.next, bench.continuation.givenUp]).toEqual([DECISION, 0]);
    expect(bench.read(71, 72).continuation.givenUp).toBe(1);
  });
});

it('the server’s Finished is with the client once that has acknowledged all of it, and not before', () => {
  const bench = new Bench();
  bench.session.isServerFinished = true;
  bench.read(50, 80);
  const { tcp } = segmentAt(0, 0);
  for (const [acked, delivered] of [
    [79, 0],
    [80, 1],
  ] as const) {
    bench.server.acknowledge(FIRST_SEQ + acked);
    bench.reading.onClientPacket(tcp);
    expect(bench.delivered).toBe(delivered);
  }
});
