import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd } from '../../src/tcp/sequence.ts';
import { bank, forgedFlight, GENUINE, genuineFlight, hasForged, HOST, opened } from '../support/flows.ts';
import { match } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';
import type { Wire } from '../support/wire.ts';

const hello = tls.clientHello(HOST);

function greeted(limits: Partial<typeof LIMIT_DEFAULTS | Record<string, number>> = {}, more = {}): Wire {
  const wire = opened({ limits: { ...LIMIT_DEFAULTS, ...limits }, ...more });
  wire.fromClient(hello);
  return wire;
}

/** A flight of about `size` octets before anything is decided: a large message ahead of the certificate. */
function slow(size: number): Buffer {
  const filler = tls.handshake(23, Buffer.alloc(size));
  return tls.records(22, Buffer.concat([tls.serverHello(), filler, tls.certificateMessage(GENUINE)]), 1000);
}

describe("the server's first flight of a pinned flow", () => {
  it('waits as a whole, so that an alert can take its place', () => {
    const wire = greeted();
    const verdicts = [0, 100, 200].map((at) => wire.fromServer(forgedFlight.subarray(at, at + 100)).verdict);
    expect(verdicts).toEqual(['held', 'held', 'held']);
    wire.fromServer(forgedFlight.subarray(300));
    expect(wire.atClient.stream.toString('hex')).toBe('1503030002022a');
  });

  it('goes on its way at once with the decision that accepts', () => {
    const wire = greeted();
    wire.fromServer(genuineFlight.subarray(0, 500));
    expect(wire.held).toBe(1);
    wire.fromServer(genuineFlight.subarray(500));
    expect(wire.held).toBe(0);
    expect(wire.atClient.stream.equals(genuineFlight)).toBe(true);
  });

  it('does not wait while nothing can be denied: bare segments, and octets before the hello', () => {
    const wire = opened();
    expect(wire.fromServer(tls.record(22, tls.helloRequest)).verdict).toBe('accept');
    wire.fromClient(hello);
    expect(wire.fromServer('').verdict).toBe('accept');
    expect(wire.fromServer('', { flags: TCP_FLAG.fin | TCP_FLAG.ack }).verdict).toBe('accept');
  });

  it('does not wait where a pinset only reports', () => {
    const wire = greeted({}, { pinsets: [bank({ mode: 'report-only' })] });
    expect(wire.fromServer(forgedFlight.subarray(0, 100)).verdict).toBe('accept');
  });

  it('waits for a deny list and for a rule that denies, which could touch the flow', () => {
    const deny = bank({ pins: [], deny: bank().pins, match: match() });
    expect(greeted({}, { pinsets: [deny] }).fromServer(forgedFlight.subarray(0, 100)).verdict).toBe('held');
  });
});

describe('the wait ends, but for what completes the decision', () => {
  it('30 ms after the last octet of the server', () => {
    const wire = greeted();
    wire.fromServer(forgedFlight.subarray(0, 100));
    wire.wait(29);
    wire.fromServer(forgedFlight.subarray(100, 200));
    wire.wait(29);
    expect(wire.held).toBe(2);
    wire.wait(1);
    expect(wire.held).toBe(0);
    expect(wire.atClient.stream.length).toBe(200);
    expect(wire.fromServer(forgedFlight.subarray(200, 300)).verdict).toBe('accept');
    wire.fromServer(forgedFlight.subarray(300));
    expect(hasForged(wire)).toBe(false);
    expect(wire.atClient.isReset).toBe(true);
  });

  it('when asked for, the engine says when that is', () => {
    const wire = greeted();
    wire.fromServer(forgedFlight.subarray(0, 100));
    wire.now += 10_000;
    expect(wire.engine.tick()).toBe(20_000);
    wire.now += 20_000;
    expect(wire.engine.tick()).toBeGreaterThan(0);
    expect(wire.held).toBe(0);
  });

  it('with the sixteenth packet', () => {
    const wire = greeted();
    for (let i = 0; i < 15; i++) wire.fromServer(forgedFlight.subarray(i * 10, i * 10 + 10));
    expect(wire.held).toBe(15);
    expect(wire.fromServer(forgedFlight.subarray(150, 160)).verdict).toBe('accept');
    expect(wire.held).toBe(0);
    wire.fromServer(forgedFlight.subarray(160));
    expect(hasForged(wire)).toBe(false);
  });

  it('with more than 12 KiB', () => {
    const wire = greeted();
    const large = slow(20_000);
    for (let at = 0; at < 12_000; at += 4000) wire.fromServer(large.subarray(at, at + 4000));
    expect(wire.held).toBe(3);
    wire.fromServer(large.subarray(12_000, 12_400));
    expect(wire.held).toBe(0);
  });

  it('at once with a retransmission of what waits: a small window must not stall', () => {
    const wire = greeted();
    const first = wire.serverSeq;
    wire.fromServer(forgedFlight.subarray(0, 300));
    expect(wire.fromServer(forgedFlight.subarray(0, 300), { seq: first }).verdict).toBe('accept');
    expect(wire.held).toBe(0);
    expect(wire.atClient.stream.length).toBe(300);
    wire.fromServer(forgedFlight.subarray(300));
    expect(hasForged(wire)).toBe(false);
  });

  it('also with a retransmission of a part of it', () => {
    const wire = greeted();
    const first = wire.serverSeq;
    wire.fromServer(forgedFlight.subarray(0, 300));
    wire.fromServer(forgedFlight.subarray(100, 200), { seq: seqAdd(first, 100) });
    expect(wire.held).toBe(0);
  });

  it('does not begin again after it has ended', () => {
    const wire = greeted();
    wire.fromServer(forgedFlight.subarray(0, 100));
    wire.wait(31);
    wire.fromClient('');
    expect(wire.fromServer(forgedFlight.subarray(100, 200)).verdict).toBe('accept');
  });

  it('with a HelloRetryRequest: the server waits for the client now', () => {
    const wire = opened();
    wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304, 0x0303] }));
    wire.fromServer(tls.record(22, tls.helloRetryRequest));
    expect(wire.held).toBe(0);
    wire.fromClient(tls.clientHello({ name: HOST, supportedVersions: [0x0304, 0x0303] }));
    wire.fromServer(tls.record(22, tls.serverHello13));
    expect(wire.verdicts).toMatchObject([{ action: 'tls-alert', reason: 'no-certificate' }]);
  });
});

describe('held packets are bounded', () => {
  it('by the queue: the next one is dropped and counted', () => {
    const wire = greeted({ heldPacketsQueue: 2 });
    const pieces = [0, 100, 200].map((at) => wire.fromServer(forgedFlight.subarray(at, at + 100)).verdict);
    expect(pieces).toEqual(['held', 'held', 'drop']);
    expect(wire.engine.counters.limits.heldPackets).toBe(1);
    wire.wait(31);
    expect(wire.engine.heldPackets).toBe(0);
    // What was dropped comes again, and passes.
    expect(wire.fromServer(forgedFlight.subarray(200, 300), { seq: wire.atClient.next! }).verdict).toBe('accept');
    wire.finish();
  });

  it('by the flow', () => {
    const wire = greeted({ heldPackets: 2, heldAheadPackets: 10 });
    const pieces = [0, 100, 200].map((at) => wire.fromServer(forgedFlight.subarray(at, at + 100)).verdict);
    expect(pieces).toEqual(['held', 'held', 'drop']);
  });

  it('and what was dropped for that never counts as delivered: it may complete the forgery', () => {
    const wire = greeted({ heldPacketsQueue: 1 });
    const first = wire.serverSeq;
    wire.fromServer(forgedFlight.subarray(0, 200));
    wire.fromServer(forgedFlight.subarray(200, 400));
    wire.wait(31);
    wire.fromServer(forgedFlight.subarray(400));
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
    wire.fromServer(forgedFlight.subarray(200, 400), { seq: seqAdd(first, 200) });
    wire.fromServer(forgedFlight.subarray(400), { seq: seqAdd(first, 400) });
    expect(hasForged(wire)).toBe(false);
  });
});

it('every held packet is answered when the engine stops, and none of them passes', () => {
  const wire = greeted();
  wire.fromServer(forgedFlight.subarray(0, 100));
  wire.finish();
  expect(wire.atClient.stream.length).toBe(0);
});

it('how long packets waited is in the record', () => {
  const wire = greeted();
  wire.fromServer(forgedFlight.subarray(0, 100));
  wire.wait(7);
  wire.fromServer(forgedFlight.subarray(100));
  expect(wire.verdicts).toMatchObject([{ heldMicros: 7000 }]);
});
