import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS as LIMITS } from '../../src/pins/limits.ts';
import type { Situations } from '../../src/pins/policy.ts';
import { IpView } from '../../src/packet/ip.ts';
import { QUIC_V2 } from '../../src/quic/version.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import { ACCEPT, bank, bankWith, DENY, HOST } from '../support/flows.ts';
import { match, PINNED, pinset, policy, range, UNPINNED } from '../support/policy.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { cryptoFrame, DCID, initialPacket, longPacket, retryPacket } from '../support/quic-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const hello = (name?: string) => tls.clientHelloMessage({ name, supportedVersions: [0x0304] });
const helloWith = (...extensions: readonly Buffer[]) =>
  tls.clientHelloMessage({ extensions, supportedVersions: [0x0304] });
const named = (name: string) => Buffer.concat([Buffer.of(0), tls.vector16(Buffer.from(name))]);
const twoNames = tls.extension(0, tls.vector16(Buffer.concat([named('www.other.example'), named(HOST)])));
const initial = (name?: string, dcid?: Uint8Array) =>
  initialPacket(cryptoFrame(0, hello(name)), { padTo: 1100, ...(dcid === undefined ? {} : { dcid }) });
const SHORT = Buffer.alloc(60, 0x45);
const answer = longPacket(0x20, 1, Buffer.of(0x40, 40, ...Buffer.alloc(40)));

/** The hello in two datagrams, cut behind its head. */
function halves(name: string): [Buffer, Buffer] {
  const octets = hello(name);
  return [
    initialPacket(cryptoFrame(0, octets.subarray(0, 50)), { padTo: 1100 }),
    initialPacket(cryptoFrame(50, octets.subarray(50)), { padTo: 1100, packetNumber: 1 }),
  ];
}

const { log: LOG } = policy({});

describe('a pinned name over QUIC', () => {
  it('is refused: what leaves is empty, and marked', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(initial(HOST))).toBe('emptied');
    expect(wire.connmark).toBe(DENY);
    expect(wire.verdicts).toMatchObject([
      { datagrams: 'quic', action: 'reject', reason: 'quic', pinset: 'pinset-0', connmark: { value: DENY } },
    ]);
    expect(wire.verdicts[0]!.tls).toMatchObject({ sni: HOST, version: 0x0304 });
  });

  it('and so is whatever its client sends then', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(initial(HOST));
    expect(wire.fromClient(SHORT)).toBe('emptied');
    expect(wire.fromClient(longPacket(0x20, 1, Buffer.of(0x40, 40, ...Buffer.alloc(40))))).toBe('emptied');
    expect(wire.verdicts).toHaveLength(1);
  });

  it('again and again, and is said once', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    for (let i = 0; i < 3; i++) expect(wire.fromClient(initial(HOST))).toBe('emptied');
    expect(wire.fromServer(answer)).toBe('drop');
    wire.restart({ pinsets: [bank()] });
    expect(wire.fromClient(initial(HOST))).toBe('emptied');
    expect(wire.verdicts).toHaveLength(2);
  });

  it.each([
    ['drop', 'drop', 'drop'],
    ['accept', 'accept', 'accept'],
  ] as const)('with %s: %s', (quic, verdict, action) => {
    const wire = new DatagramWire({ pinsets: [bankWith({ quic })] });
    expect(wire.fromClient(initial(HOST))).toBe(verdict);
    expect(wire.verdicts).toMatchObject([{ action, reason: 'quic', pinset: 'pinset-0' }]);
  });

  it('is only reported in report-only, with what enforcement had done', () => {
    const wire = new DatagramWire({ pinsets: [bank({ mode: 'report-only' })] });
    expect(wire.fromClient(initial(HOST))).toBe('accept');
    expect(wire.verdicts).toMatchObject([{ action: 'accept', would: 'reject', mode: 'report-only' }]);
  });

  it('what leaves is the same datagram without its data, with right lengths', () => {
    const payloads: Uint8Array[] = [];
    const wire = new DatagramWire(
      { pinsets: [bank()] },
      {
        verdicts: { verdict: (_id, _verdict, options) => payloads.push(options!.payload!), flush: () => undefined },
      },
    );
    wire.fromClient(initial(HOST));
    const ip = new IpView();
    expect(ip.parse(payloads[0]!, 0, payloads[0]!.length)).toBe(0);
    expect(Buffer.from(payloads[0]!.subarray(12, 26)).toString('hex')).toBe('0a010203c6336407c93a01bb0008');
  });
});

describe('another name over QUIC', () => {
  it('passes, and the rest unseen once the server’s answer goes where the client is', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(initial('www.other.example'))).toBe('accept');
    expect(wire.connmark).toBe(0);
    expect(wire.fromServer(answer, { outIfindex: 9 })).toBe('accept');
    expect(wire.connmark).toBe(0);
    expect(wire.fromServer(answer)).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.fromClient(SHORT)).toBe('accept');
    expect(wire.verdicts).toEqual([]);
  });

  it('does not speak for a further connection of the same endpoints', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(initial('www.other.example'));
    wire.fromServer(answer);
    expect(wire.connmark).toBe(ACCEPT);
    expect(wire.fromClient(initial(HOST, Buffer.from('another1')))).toBe('emptied');
    wire.restart({ pinsets: [bank()] });
    expect(wire.fromClient(initial(HOST, Buffer.from('another2')))).toBe('emptied');
  });

  it('after a denied one lifts its mark', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(initial(HOST));
    expect(wire.connmark).toBe(DENY);
    expect(wire.fromClient(initial('www.other.example', Buffer.from('another1')))).toBe('accept');
    expect(wire.connmark).not.toBe(DENY);
  });

  it('that comes by another way than the client’s does not speak for it', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(initial('www.other.example'), { inIfindex: 9 })).toBe('accept');
    wire.fromServer(answer);
    expect(wire.connmark).toBe(0);
    expect(wire.fromClient(initial(HOST))).toBe('emptied');
  });
});

describe('a name in several datagrams', () => {
  it('holds the first until the second tells', () => {
    for (const [name, verdict] of [
      ['www.other.example', 'accept'],
      [HOST, 'emptied'],
    ] as const) {
      const wire = new DatagramWire({ pinsets: [bank()] });
      const [first, second] = halves(name);
      expect(wire.fromClient(first)).toBe('held');
      expect(wire.fromClient(second)).toBe(verdict);
      expect([...wire.answers.values()]).toEqual([verdict, verdict]);
      wire.finish();
    }
  });

  it('in any order; and 0-RTT waits with them', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const [first, second] = halves('www.other.example');
    const early = longPacket(0x10, 1, Buffer.of(0x40, 40, ...Buffer.alloc(40)));
    expect(wire.fromClient(second)).toBe('held');
    expect(wire.fromClient(early)).toBe('held');
    expect(wire.fromClient(first)).toBe('accept');
    expect([...wire.answers.values()]).toEqual(['accept', 'accept', 'accept']);
    wire.finish();
  });

  it('that never is whole counts as pinned', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(halves(HOST)[0])).toBe('held');
    wire.wait(2_900);
    expect(wire.answers.get(1)).toBe('held');
    wire.wait(200);
    expect(wire.answers.get(1)).toBe('emptied');
    expect(wire.verdicts).toMatchObject([{ action: 'reject', reason: 'quic', fault: 'quic.incomplete' }]);
    expect(wire.engine.heldPackets).toBe(0);
  });

  it('waits only where a name decides', () => {
    const elsewhere = match({ hosts: [HOST], ports: [[8443, 8443]] });
    expect(new DatagramWire({ pinsets: [bank({ match: elsewhere })] }).fromClient(halves(HOST)[0])).toBe('accept');
    const byAddress = bank({ match: match({ addresses: [range('198.51.100.0/24')] }) });
    expect(new DatagramWire({ pinsets: [byAddress] }).fromClient(halves(HOST)[0])).toBe('emptied');
  });

  it('holds so many only', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const [first] = halves(HOST);
    const all = Array.from({ length: 70 }, () => wire.fromClient(first));
    expect(all.filter((verdict) => verdict === 'held')).toHaveLength(64);
    expect(all.at(-1)).toBe('drop');
    wire.finish();
  });
});

describe('where a host pinset could apply', () => {
  it.each([
    ['an unknown version', longPacket(0x00, 0x51303433, Buffer.alloc(1200))],
    ['a connection in its middle', initialPacket(cryptoFrame(0, hello('x')), { originalDcid: Buffer.from('another') })],
    [
      'a hello that contradicts itself',
      initialPacket(Buffer.concat([cryptoFrame(0, hello(HOST)), cryptoFrame(9, hello(HOST))])),
    ],
    ['a hello that cannot be read', initialPacket(cryptoFrame(0, tls.handshake(1, Buffer.alloc(30))))],
    [
      'a second hello, as after a HelloRetryRequest, with another name',
      initialPacket(cryptoFrame(0, Buffer.concat([hello('www.other.example'), hello(HOST)]))),
    ],
    [
      'a message behind the hello that is none',
      initialPacket(cryptoFrame(0, Buffer.concat([hello('www.other.example'), tls.handshake(11, Buffer.alloc(4))]))),
    ],
    ['a hello with two names', initialPacket(cryptoFrame(0, helloWith(twoNames)))],
  ])('%s is refused', (_, datagram) => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(datagram)).toBe('emptied');
    expect(wire.verdicts).toMatchObject([{ action: 'reject', reason: 'quic' }]);
    expect(wire.verdicts[0]!.fault).not.toBeNull();
  });

  it.each([
    ['what comes after a handshake that nobody saw', SHORT, 'drop'],
    ['anything else', Buffer.from('hello'), 'drop'],
    ['nothing', Buffer.alloc(0), 'drop'],
  ] as const)('%s does not pass', (_, datagram, verdict) => {
    expect(new DatagramWire({ pinsets: [bank()] }).fromClient(datagram)).toBe(verdict);
    expect(new DatagramWire().fromClient(datagram)).toBe('accept');
  });

  it('a server speaks only when it is asked', () => {
    expect(new DatagramWire({ pinsets: [bank()] }).fromServer(answer)).toBe('drop');
    expect(new DatagramWire().fromServer(answer)).toBe('accept');
  });

  it('what is let go though it cannot be read is said once', () => {
    const unread = initialPacket(cryptoFrame(0, tls.handshake(1, Buffer.alloc(30))));
    const other = hello('www.other.example');
    const contradicted = initialPacket(cryptoFrame(0, Buffer.concat([other, tls.handshake(11, Buffer.alloc(4))])));
    for (const datagram of [unread, contradicted]) {
      const wire = new DatagramWire({
        pinsets: [bankWith({ quic: 'accept' })],
        pinned: { ...PINNED, quic: 'accept' },
        log: { ...LOG, unpinned: true },
      });
      expect(wire.fromClient(datagram)).toBe('accept');
      expect(wire.verdicts.map(({ action }) => action)).toEqual(['accept']);
    }
  });

  it('a second hello with the name of the first passes', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const both = Buffer.concat([hello('www.other.example'), hello('www.other.example')]);
    expect(wire.fromClient(initialPacket(cryptoFrame(0, both)))).toBe('accept');
  });

  it('a client without a name passes, unless noSni says no', () => {
    expect(new DatagramWire({ pinsets: [bank()] }).fromClient(initial())).toBe('accept');
    const wire = new DatagramWire({ pinsets: [bankWith({ noSni: 'deny' })] });
    expect(wire.fromClient(initial())).toBe('emptied');
    expect(wire.verdicts).toMatchObject([{ reason: 'no-sni', pinset: 'pinset-0' }]);
  });

  it('a name that no host has passes, and one that may be read as pinned is refused', () => {
    for (const name of ['2001:db8::1', '198.51.100.7:443', '', 'other example']) {
      expect(new DatagramWire({ pinsets: [bank()] }).fromClient(initial(name))).toBe('accept');
    }
    for (const name of [`${HOST}:443`, ` ${HOST}`, `${HOST}\0.evil`]) {
      expect(new DatagramWire({ pinsets: [bank()] }).fromClient(initial(name))).toBe('emptied');
    }
  });

  it('a wrong checksum is nobody’s datagram', () => {
    expect(new DatagramWire({ pinsets: [bank()] }).fromClient(initial('x.example'), { badChecksum: true })).toBe(
      'drop',
    );
  });
});

it('after a Retry the client is known by its name again', () => {
  const wire = new DatagramWire({ pinsets: [bank()] });
  expect(wire.fromClient(initial('www.other.example'))).toBe('accept');
  expect(wire.fromServer(retryPacket(Buffer.from('retried1')))).toBe('accept');
  expect(wire.fromClient(initial('www.other.example', Buffer.from('retried1')))).toBe('accept');
  expect(wire.fromClient(initial(HOST, Buffer.from('retried2')))).toBe('emptied');
});

it('both the address pinset and the name’s have their say', () => {
  const address = pinset(1, {
    match: match({ addresses: [range('198.51.100.7')] }),
    situations: { ...bank().situations, quic: 'accept' },
  });
  const wire = new DatagramWire({ pinsets: [bank(), address] });
  expect(wire.fromClient(initial('www.other.example'))).toBe('accept');
  expect(wire.fromClient(initial(HOST, Buffer.from('another1')))).toBe('emptied');
});

it('unpinned QUIC is refused where the configuration says so', () => {
  const unpinned: Situations = { ...UNPINNED, quic: 'reject' };
  const wire = new DatagramWire({ unpinned });
  expect(wire.fromClient(initial('www.other.example'))).toBe('emptied');
  expect(wire.verdicts).toMatchObject([{ action: 'reject', reason: 'quic', pinset: null }]);
});

it('flows are bounded: the oldest goes, and is judged again when it comes back', () => {
  const wire = new DatagramWire({ pinsets: [bank()], limits: { ...LIMITS, flows: 16 } });
  for (let i = 0; i < 40; i++) wire.fromClient(initial('www.other.example'), { clientPort: 50_000 + i });
  expect(wire.engine.flows).toBe(16);
  expect(wire.engine.counters.limits.flows).toBe(24);
  expect(wire.fromClient(initial(HOST), { clientPort: 50_000 })).toBe('emptied');
  wire.wait(61_000);
  expect(wire.engine.flows).toBe(0);
});

describe('in a capture', () => {
  const captured = (...server: readonly Uint8Array[]) => {
    const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
    expect(wire.fromClient(initial(HOST))).toBe('accept');
    const crypto = cryptoFrame(0, Buffer.concat(server));
    expect(wire.fromServer(initialPacket(crypto, { from: 'server', originalDcid: DCID }))).toBe('accept');
    expect(wire.verdicts).toEqual([]);
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ action: 'reject', reason: 'quic', tls: { sni: HOST } }]);
    return wire.verdicts[0]!.tls!.cipherSuite;
  };

  it('the end says what was decided, and what the server has chosen', () => {
    expect(captured(tls.serverHello13)).toBe(0x1301);
  });

  it.each([
    ['a HelloRetryRequest', tls.helloRetryRequest],
    ['what cannot be read', tls.handshake(2, Buffer.alloc(3))],
    ['another message, in its place', tls.handshake(11, tls.serverHello13.subarray(4))],
  ])('%s says nothing of that', (_, message) => {
    expect(captured(message)).toBe(0);
  });

  it('nothing is said where no hello is whole', () => {
    const wire = new DatagramWire({ pinsets: [bank()] }, { live: false });
    wire.fromClient(halves(HOST)[0]);
    wire.finish();
    expect(wire.verdicts).toEqual([]);
  });
});

describe('Initial packets to read something else in', () => {
  const OTHER = 'www.other.example';
  const of = (name: string, dcid: string, padTo = 0) =>
    initialPacket(cryptoFrame(0, hello(name)), { dcid: Buffer.from(dcid), padTo });

  it.each([
    ['a pinned name', of(HOST, 'second..')],
    [
      'one that nobody can open',
      initialPacket(cryptoFrame(0, hello(OTHER)), { originalDcid: Buffer.from('another.') }),
    ],
    [
      'one whose hello contradicts itself',
      initialPacket(Buffer.concat([cryptoFrame(0, hello(OTHER)), cryptoFrame(0, hello(HOST))]), {
        dcid: Buffer.from('second..'),
      }),
    ],
  ])('in one datagram, %s behind another name: none of it goes', (_, second) => {
    for (const datagram of [
      Buffer.concat([of(OTHER, 'first...'), second]),
      Buffer.concat([second, of(OTHER, 'first...')]),
    ]) {
      const wire = new DatagramWire({ pinsets: [bank()] });
      expect(wire.fromClient(datagram)).toBe('emptied');
      expect(wire.atServer).toEqual([]);
    }
  });

  it('in any number: a pinned name is refused however many others came before and between', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(of(HOST, 'pinned..', 1100))).toBe('emptied');
    for (let i = 0; i < 40; i++) expect(wire.fromClient(of(OTHER, `other-${100 + i}`, 1100))).toBe('accept');
    expect(wire.fromClient(of(HOST, 'pinned..', 1100))).toBe('emptied');
    expect(wire.fromClient(of(HOST, 'another.', 1100))).toBe('emptied');
    expect(wire.atServer).toHaveLength(40);
  });

  it.each([
    ['a Retry', retryPacket(Buffer.from('retry-id'))],
    [
      'a Version Negotiation',
      Buffer.concat([Buffer.from('c000000000000008', 'hex'), DCID, Buffer.from('6b3343cf', 'hex')]),
    ],
    ['an Initial packet', initialPacket(cryptoFrame(0, tls.serverHello13), { from: 'server' })],
    ['an unknown version', longPacket(0x00, 0x51303433, Buffer.alloc(1200))],
    ['a short header', SHORT],
  ])('%s of the server’s does not go while a name is awaited or refused', (_, datagram) => {
    const [first] = halves(HOST);
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(first)).toBe('held');
    expect(wire.fromServer(datagram)).toBe('drop');
    wire.wait(LIMITS.holdTime + 1);
    expect(wire.fromServer(datagram)).toBe('drop');
    expect(wire.atServer).toEqual([]);
  });

  it.each([
    ['the second version', QUIC_V2],
    ['a draft', 0xff00001d],
    ['one that is reserved', 0x1a2a3a4a],
  ])('of %s are read by their name', (_, version) => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const begin = (name: string) =>
      wire.fromClient(initialPacket(cryptoFrame(0, hello(name)), { version, padTo: 1100 }));
    expect(begin(HOST)).toBe('emptied');
  });
});

describe('endpoints that speak both QUIC and DTLS', () => {
  const dtlsHello = dtls.dtlsRecord(22, dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name: HOST })), 0)[0]!);
  const other = () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    expect(wire.fromClient(initial('www.other.example'))).toBe('accept');
    return wire;
  };

  it('what a server sends ahead of a ruling about DTLS does not go for QUIC’s sake', () => {
    const wire = other();
    expect(wire.fromServer(answer)).toBe('accept');
    expect(wire.fromClient(dtlsHello)).toBe('accept');
    expect(wire.fromServer(SHORT)).toBe('drop');
    expect(wire.fromServer(answer)).toBe('drop');
  });

  it('a server begins nothing: what looks like QUIC leaves DTLS what it is', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    wire.fromClient(dtlsHello);
    expect(wire.fromServer(answer)).toBe('drop');
    expect(wire.fromServer(SHORT)).toBe('drop');
    const [message] = dtls.fragments(dtls.overDatagrams(tls.serverHello(0xc02f)), 0);
    expect(wire.fromServer(dtls.dtlsRecord(22, message!))).toBe('accept');
  });
});
