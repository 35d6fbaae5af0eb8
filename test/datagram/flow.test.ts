/** The datagrams of one pair of endpoints: what they speak, in which order whatever is said, and whose flow it is. */
import { describe, expect, it } from 'vitest';

import type { Policy } from '../../src/pins/policy.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { ACCEPT, bank, DENY, FORGED, HOST, PENDING } from '../support/flows.ts';
import { UNPINNED } from '../support/policy.ts';
import { cryptoFrame, initialPacket, longPacket } from '../support/quic-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const OTHER = 'www.other.example';
const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
const dtlsHello = (name: string) => handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name })), 0));
const flight = handshake(
  ...[
    dtls.overDatagrams(tls.serverHello({ suite: 0xc02f })),
    tls.certificateMessage(FORGED),
    tls.serverKeyExchange(),
    tls.serverHelloDone,
  ].flatMap((message, i) => dtls.fragments(message, i)),
);
const encrypted = dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 });
const goesOn = Buffer.concat([
  handshake(...dtls.fragments(tls.handshake(16, tls.vector16(Buffer.alloc(65, 0x0c))), 1)),
  dtls.dtlsRecord(20, Buffer.of(1)),
  encrypted,
]);
const quicHello = (name: string) =>
  initialPacket(cryptoFrame(0, tls.clientHelloMessage({ name, supportedVersions: [0x0304] })), { padTo: 1100 });
const quicHandshake = longPacket(0x20, 1, Buffer.of(0x40, 40, ...Buffer.alloc(40)));
const SHORT = Buffer.alloc(60, 0x45);
/** RTP, RFC 3550. */
const MEDIA = Buffer.of(0x80, 0x60, ...Buffer.alloc(40));
const TEXT = Buffer.from('text');
const NOTHING = Buffer.alloc(0);

describe('beside DTLS', () => {
  const open = () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(dtlsHello(OTHER));
    wire.fromServer(flight);
    return wire;
  };

  it('what looks like media is, and goes with it', () => {
    expect(open().fromClient(MEDIA)).toBe('accept');
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(dtlsHello(HOST));
    expect(wire.fromClient(MEDIA)).toBe('drop');
  });

  it('QUIC is QUIC: a pinned name is refused', () => {
    expect(open().fromClient(quicHello(HOST))).toBe('emptied');
  });

  it('what the client goes on with is marked once, and a server’s datagram that comes by behind it leaves the mark', () => {
    const wire = open();
    wire.fromClient(goesOn);
    expect(wire.connmark).toBe(ACCEPT);
    wire.fromServer(encrypted);
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('what is neither QUIC nor DTLS', () => {
  it('passes where nothing is pinned, and unseen once it is answered', () => {
    const wire = new DatagramWire();
    expect(wire.fromClient(TEXT)).toBe('accept');
    expect(wire.connmark).toBe(0);
    expect(wire.fromServer(TEXT, { outIfindex: 9 })).toBe('accept');
    expect(wire.connmark).toBe(0);
    expect(wire.fromServer(TEXT)).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('passes no more where a reload pins its server, and again where another one does not', () => {
    const wire = new DatagramWire({ unpinned: { ...UNPINNED, notTls: 'deny' } });
    expect(wire.fromClient(TEXT)).toBe('drop');
    wire.reload({});
    expect(wire.fromClient(TEXT)).toBe('accept');
  });

  it('is not marked along with QUIC that is refused', () => {
    const wire = new DatagramWire({ unpinned: { ...UNPINNED, quic: 'reject' } });
    expect(wire.fromClient(TEXT)).toBe('accept');
    expect(wire.fromClient(quicHello(HOST))).toBe('emptied');
    wire.fromServer(TEXT);
    expect(wire.connmark).not.toBe(ACCEPT);
  });
});

describe('a mark that an earlier engine left', () => {
  const marked = (connmark: number, fields: Partial<Policy> = { pinsets: [bank()] }) => {
    const wire = new DatagramWire(fields);
    wire.connmark = connmark;
    return wire;
  };

  it('of acceptance lets pass what goes on', () => {
    for (const datagram of [SHORT, TEXT, NOTHING, encrypted]) {
      expect(marked(ACCEPT).fromClient(datagram)).toBe('accept');
      expect(marked(ACCEPT).fromServer(datagram)).toBe('accept');
    }
  });

  it('of acceptance says nothing of a handshake that begins', () => {
    const wire = marked(ACCEPT);
    expect(wire.fromClient(dtlsHello(HOST))).toBe('accept');
    expect(wire.connmark).toBe(PENDING);
    expect(wire.fromServer(flight)).toBe('drop');
    expect(marked(ACCEPT).fromClient(quicHello(HOST))).toBe('emptied');
  });

  it('of denial drops what goes on, from either side', () => {
    for (const fields of [{ pinsets: [bank()] }, { pinsets: [] }]) {
      expect(marked(0x2000000, fields).fromClient(SHORT)).toBe('drop');
      expect(marked(0x2000000, fields).fromServer(SHORT)).toBe('drop');
    }
  });

  it('of neither is as good as none', () => {
    expect(marked(PENDING).fromClient(dtlsHello(HOST))).toBe('accept');
    expect(marked(PENDING).fromServer(SHORT)).toBe('drop');
    const open = { unpinned: { ...UNPINNED, midstream: 'deny' } } as const;
    expect(marked(PENDING, open).fromClient(SHORT)).toBe('accept');
  });

  it('of acceptance lets pass what has no data, whatever comes behind its end', () => {
    expect(marked(ACCEPT).fromClient(Buffer.of(0xc0), { length: 8, isChecksumLate: true })).toBe('accept');
  });

  it('of denial is taken away by a handshake that begins, where anybody tells of it', () => {
    for (const [hasNoMark, left] of [
      [false, PENDING],
      [true, DENY],
    ] as const) {
      const wire = marked(DENY);
      expect(wire.fromClient(dtlsHello(OTHER), { hasNoMark })).toBe('accept');
      expect(wire.connmark).toBe(left);
    }
  });
});

it('a server’s datagram that nobody asked for begins no flow', () => {
  const wire = new DatagramWire({ unpinned: { ...UNPINNED, notTls: 'deny' } });
  expect([wire.fromServer(TEXT), wire.engine.flows]).toEqual(['accept', 0]);
});

it('a datagram whose length is not its own is nobody’s', () => {
  expect(new DatagramWire().fromClient(TEXT, { length: 4 })).toBe('drop');
  expect(new DatagramWire().fromClient(TEXT, { length: 200 })).toBe('drop');
});

describe('in a capture', () => {
  it('nothing is marked', () => {
    const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
    wire.fromClient(dtlsHello(OTHER));
    wire.fromServer(flight);
    wire.fromClient(goesOn);
    wire.finish();
    expect([wire.verdicts[0]!.action, wire.connmark]).toEqual(['accept', 0]);
  });

  it.each([
    ['a Handshake packet', quicHandshake],
    ['a short header', SHORT],
    ['text', TEXT],
    ['nothing', NOTHING],
    [
      'an Initial packet of a connection that began earlier',
      initialPacket(cryptoFrame(0, tls.clientHelloMessage({ name: HOST })), { originalDcid: Buffer.from('another') }),
    ],
  ])('%s begins no flow', (_, datagram) => {
    for (const from of ['fromClient', 'fromServer'] as const) {
      const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
      expect(wire[from](datagram)).toBe('accept');
      expect(wire.engine.flows).toBe(0);
    }
  });

  it('a flow of DTLS begins with either side’s, and one of QUIC with the client’s', () => {
    for (const [from, datagram] of [
      ['fromClient', dtlsHello(HOST)],
      ['fromServer', flight],
      ['fromClient', quicHello(HOST)],
    ] as const) {
      const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
      wire[from](datagram);
      expect(wire.engine.flows).toBe(1);
      wire.finish();
      expect(wire.verdicts).toMatchObject([{ inIfindex: 2, outIfindex: 3 }]);
    }
  });
});
