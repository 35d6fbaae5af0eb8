/** Many pairs of endpoints: which flow a datagram is of, when one is forgotten, and what of all that is said. */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { ACCEPT, bank, FORGED, HOST } from '../support/flows.ts';
import { pin, policy } from '../support/policy.ts';
import { cryptoFrame, initialPacket } from '../support/quic-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const OTHER = 'www.other.example';
const SHORT = Buffer.alloc(60, 0x45);
const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
const hello = (name: string, octet = 0xc1) =>
  handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name, random: Buffer.alloc(32, octet) })), 0));
const flight = handshake(
  ...[dtls.overDatagrams(tls.serverHello()), tls.certificateMessage(FORGED)].flatMap((message, seq) =>
    dtls.fragments(message, seq),
  ),
);
const half = initialPacket(cryptoFrame(0, tls.clientHelloMessage({ name: HOST }).subarray(0, 50)), { padTo: 1100 });
const pinned = (options = {}, fields = {}) => new DatagramWire({ pinsets: [bank()], ...fields }, options);
const reasons = (wire: DatagramWire) => wire.verdicts.map(({ reason, client }) => `${reason} ${client.port}`);

describe('a flow', () => {
  it('is forgotten a minute after its last datagram, whoever came first', () => {
    const wire = pinned();
    wire.fromClient(hello(HOST), { clientPort: 1001 });
    wire.fromClient(hello(HOST), { clientPort: 1002 });
    wire.wait(40_000);
    wire.fromClient(hello(HOST), { clientPort: 1001 });
    expect(wire.engine.tick()).toBeLessThanOrEqual(60_000_000);
    wire.wait(20_001);
    expect(reasons(wire)).toEqual(['incomplete 1002']);
    wire.wait(40_000);
    expect(reasons(wire)).toEqual(['incomplete 1002', 'incomplete 1001']);
    expect(wire.engine.flows).toBe(0);
  });

  it('that was forgotten is begun anew', () => {
    const wire = pinned();
    wire.fromClient(hello(OTHER));
    wire.fromServer(flight);
    wire.wait(61_000);
    expect(wire.fromServer(SHORT)).toBe('drop');
  });

  it('that was not answered gives way to another client’s, and one that was does not', () => {
    const wire = pinned();
    wire.fromClient(hello(HOST));
    expect(wire.fromClient(hello(HOST, 0xc2), { inIfindex: 5 })).toBe('accept');
    expect(reasons(wire)).toEqual(['incomplete 51514']);
    wire.fromServer(flight.subarray(0, 20), { outIfindex: 5 });
    expect(wire.fromClient(hello(HOST, 0xc3), { inIfindex: 6 })).toBe('drop');
    expect(reasons(wire)).toHaveLength(1);
  });

  it('of a capture is one, by whatever interface', () => {
    const wire = pinned({ live: false });
    wire.fromClient(hello(HOST));
    expect(wire.fromClient(hello(HOST), { inIfindex: 5 })).toBe('accept');
    expect(wire.fromClient(SHORT, { inIfindex: 5 })).toBe('accept');
    expect([reasons(wire), wire.engine.counters.refused.size]).toEqual([[], 0]);
  });

  it('that leaves by the interface that it came by is counted, but of a capture', () => {
    const counted = (live: boolean, outIfindex: number) => {
      const wire = pinned({ live });
      wire.fromClient(hello(HOST), { outIfindex });
      return wire.engine.counters.oneArmed;
    };
    expect([counted(true, 2), counted(true, 3), counted(false, 2)]).toEqual([1, 0, 0]);
  });

  it('between two ports of servers is of whoever asks', () => {
    const wire = pinned({}, { ports: [[443, 443]] });
    expect(wire.fromClient(hello(HOST), { clientPort: 443 })).toBe('accept');
    expect(wire.verdicts).toEqual([]);
  });
});

describe('a datagram', () => {
  it('whose mark nobody tells has none', () => {
    const wire = pinned();
    wire.connmark = ACCEPT;
    expect(wire.fromClient(SHORT)).toBe('accept');
    expect(wire.fromClient(SHORT, { hasNoMark: true })).not.toBe('accept');
  });

  it('whose checksum a device fills in has none yet', () => {
    expect(pinned().fromClient(hello(OTHER), { badChecksum: true })).toBe('drop');
    expect(pinned().fromClient(hello(OTHER), { badChecksum: true, isChecksumLate: true })).toBe('accept');
  });

  it('waits only while the queue has room', () => {
    const limits = { ...LIMIT_DEFAULTS, heldPacketsQueue: 1 };
    const wire = pinned({}, { limits });
    expect([wire.fromClient(half), wire.fromClient(half)]).toEqual(['held', 'drop']);
    expect(wire.engine.counters.limits.heldPackets).toBe(1);
  });

  it('that has waited is answered at once, and together with others', async () => {
    let flushed = 0;
    const verdicts = { verdict: () => undefined, flush: () => void flushed++ };
    const wire = pinned({ verdicts });
    wire.fromClient(half);
    wire.fromClient(half);
    wire.wait(LIMIT_DEFAULTS.holdTime + 1);
    const before = flushed;
    await Promise.resolve();
    expect(flushed - before).toBe(1);
    wire.fromClient(half, { clientPort: 1001 });
    wire.wait(LIMIT_DEFAULTS.holdTime + 1);
    const later = flushed;
    await Promise.resolve();
    expect(flushed - later).toBe(1);
  });
});

describe('of what is nobody’s', () => {
  const { log } = policy();
  const told = (unpinned: boolean, live: boolean, name = OTHER) => {
    const wire = pinned({ live }, { log: { ...log, unpinned } });
    wire.fromClient(hello(name));
    wire.finish();
    return wire.verdicts;
  };

  it('is said what the configuration wants, and of a capture all', () => {
    expect([told(false, true).length, told(true, true).length, told(false, false).length]).toEqual([0, 1, 1]);
    // That nothing was decided is said of what might have been somebody's.
    expect(told(false, true, HOST)).toMatchObject([{ reason: 'incomplete' }]);
  });

  it('is said of a flow that only a denied pin concerns where it ends undecided', () => {
    const wire = pinned({}, { pinsets: [bank({ pins: [], deny: [pin('cert-sha256', 'ab'.repeat(32))] })] });
    wire.fromClient(hello(HOST));
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ action: 'accept', reason: 'incomplete', pinset: null }]);
  });

  it('is said when it was, by the clock, or by the capture’s', () => {
    const [live] = told(true, true);
    const [captured] = told(true, false);
    expect(live!.time).toBe(1_700_000_000_000_000);
    expect(captured!.time).toBe(1e9);
    expect([live!.connmark !== null, captured!.connmark]).toEqual([true, null]);
  });
});
