import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { DtlsHandshakeReader } from '../../src/tls/dtls-handshake.ts';
import { DtlsObserver } from '../../src/tls/dtls-observer.ts';
import { beginsDtls, readDtlsRecords } from '../../src/tls/dtls-record.ts';
import { fixturePath } from '../support/certificates.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { type Fed, HandshakeRecorder, OBSERVER_LIMITS, watch } from '../support/handshake-recorder.ts';
import * as tls from '../support/tls-bytes.ts';

const HELLO = tls.clientHelloMessage({ name: 'www.bank.example' });
const FLIGHT = [
  tls.serverHello({ suite: 0xc02f }),
  tls.certificateMessage(fixturePath('leaf'), fixturePath('forged')),
  tls.serverKeyExchange(),
  tls.serverHelloDone,
];
const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));

function observe(fed: readonly Fed[], clientFirst = true): HandshakeRecorder {
  const recorder = new HandshakeRecorder();
  const observer = new DtlsObserver(recorder, OBSERVER_LIMITS, { clientFirst });
  for (const [side, octets] of fed) {
    const datagram = Uint8Array.from([0xee, ...octets, 0xee]);
    observer.feed(side, datagram, readDtlsRecords(datagram, 1, datagram.length - 1).records);
    datagram.fill(0xdd);
  }
  return recorder;
}

/** Fragments of a client's hello and a server's flight, each in a record; numbers begin where they are told. */
const helloRecords = (size = Infinity, seq = 0) =>
  dtls.fragments(dtls.withCookie(HELLO), seq, size).map((part) => handshake(part));
const flightRecords = (size = Infinity, seq = 0) =>
  FLIGHT.flatMap((message, i) => dtls.fragments(i === 0 ? dtls.overDatagrams(message) : message, seq + i, size)).map(
    (part) => handshake(part),
  );
const from = (side: Fed[0], datagrams: readonly Uint8Array[]): Fed[] => datagrams.map((octets) => [side, octets]);

/** What the same messages show over TLS. */
const OVER_TLS = watch([
  ['client', tls.record(22, HELLO)],
  ['server', tls.record(22, Buffer.concat(FLIGHT))],
]).lines;

describe('a handshake over datagrams', () => {
  it('shows what it shows over TLS', () => {
    expect(OVER_TLS).toHaveLength(5);
    expect(observe([...from('client', helloRecords()), ...from('server', flightRecords())]).lines).toEqual(OVER_TLS);
  });

  it('in fragments of any size, in any order, more than once, in any datagrams', () => {
    const size = fc.integer({ min: 20, max: 700 });
    fc.assert(
      fc.property(size, size, fc.infiniteStream(fc.nat()), (first, second, keys) => {
        const mix = (datagrams: readonly Buffer[]) =>
          datagrams
            .map((octets) => ({ octets, key: keys.next().value }))
            .sort((a, b) => a.key - b.key)
            .map(({ octets }) => octets);
        const flight = mix([...flightRecords(first), ...flightRecords(second)]);
        const pairs = flight.flatMap((octets, i) =>
          i % 2 === 0 ? [Buffer.concat([octets, ...flight.slice(i + 1, i + 2)])] : [],
        );
        const fed = [...from('client', mix([...helloRecords(first), ...helloRecords()])), ...from('server', pairs)];
        expect(observe(fed).lines).toEqual(OVER_TLS);
      }),
      { numRuns: 60 },
    );
  });

  it('goes on after a HelloVerifyRequest, with the cookie', () => {
    const cookie = Buffer.alloc(20, 0xc0);
    const lines = observe([
      ...from('client', helloRecords()),
      ['server', handshake(...dtls.fragments(dtls.helloVerifyRequest(cookie), 0))],
      ['client', handshake(...dtls.fragments(dtls.withCookie(HELLO, cookie), 1))],
      ...from('server', flightRecords(Infinity, 1)),
    ]).lines;
    expect(lines).toEqual([OVER_TLS[0], ...OVER_TLS]);
  });

  it('has the versions of the TLS that it is made of', () => {
    const hello = (version: number) => [
      ...from('client', helloRecords()),
      ['server', handshake(...dtls.fragments(dtls.overDatagrams(FLIGHT[0]!, version), 0))] as const,
    ];
    expect(observe(hello(0xfefd)).serverHello?.version).toBe(0x0303);
    expect(observe(hello(0xfeff)).serverHello?.version).toBe(0x0302);
    expect(observe(hello(0x0100)).serverHello?.version).toBe(0x0302);
  });

  it('of version 1.3 hides its certificate', () => {
    const hello13 = tls.clientHelloMessage({ name: 'www.bank.example', supportedVersions: [0xfefc, 0xfefd] });
    const answer = tls.serverHello({ suite: 0x1301, selectedVersion: 0xfefc });
    const recorder = observe([
      ['client', handshake(...dtls.fragments(dtls.withCookie(hello13), 0))],
      ['server', handshake(...dtls.fragments(dtls.overDatagrams(answer), 0))],
    ]);
    expect(recorder.serverHello).toMatchObject({ version: 0xfefc, isTls13: true });
    expect(recorder.fault).toBeUndefined();
  });

  it('counts a ChangeCipherSpec that overtakes where what was sent before it has come', () => {
    const ccs = dtls.dtlsRecord(20, Buffer.of(1));
    const [hello] = flightRecords();
    const ticket = handshake(...dtls.fragments(tls.newSessionTicket(Buffer.from('ticket')), 1));
    const names = observe([
      ...from('client', helloRecords()),
      ['server', ccs],
      ['server', ccs],
      ['server', hello!],
    ]).names;
    expect(names).toEqual(['ClientHello', 'ServerHello', 'ServerChangeCipherSpec']);
    expect(
      observe([...from('client', helloRecords()), ['server', ticket], ['server', ccs], ['server', hello!]]).names,
    ).toEqual(['ClientHello', 'ServerHello', 'NewSessionTicket', 'ServerChangeCipherSpec']);
  });

  it('what is encrypted shows nothing, and ends nothing', () => {
    const encrypted = dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 });
    const fed = [...from('client', helloRecords()), ['server', encrypted] as const, ...from('server', flightRecords())];
    expect(observe(fed).lines).toEqual(OVER_TLS);
  });
});

describe('a fragment', () => {
  const reading = (maxLength = 4096, startsAnywhere = false) => {
    const seen: string[] = [];
    const reader = new DtlsHandshakeReader({ maxLength, startsAnywhere }, (type, body) => {
      seen.push(`${type} ${Buffer.from(body).toString('latin1')}`);
      return undefined;
    });
    return { seen, feed: (octets: Uint8Array) => reader.feed(octets, 0, octets.length) };
  };
  const body = Buffer.from('0123456789');

  it.each([
    ['other octets', dtls.fragment(11, 0, Buffer.from('0x23456789'), 0, 4)],
    ['another length', dtls.fragment(11, 0, body.subarray(0, 9), 0, 4)],
    ['another type', dtls.fragment(12, 0, body, 0, 4)],
  ])('with %s than a copy before is a fault, also of a message that was delivered', (_, other) => {
    for (const before of [dtls.fragment(11, 0, body, 0, 6), dtls.fragment(11, 0, body, 0, 10)]) {
      const { feed } = reading();
      expect(feed(before)).toBeUndefined();
      expect(feed(other)?.code).toBe('dtls.handshake.conflict');
    }
  });

  it.each([
    ['cut', dtls.fragment(11, 0, body, 0, 10).subarray(0, 15), 'dtls.handshake.syntax'],
    [
      'past the end of its message',
      Buffer.concat([Buffer.of(11, 0, 0, 2, 0, 0, 0, 0, 1, 0, 0, 2), body.subarray(0, 2)]),
      'dtls.handshake.syntax',
    ],
    ['of a message that is too long', Buffer.of(11, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), 'tls.handshake.too-long'],
    ['of a message that is far ahead', dtls.fragment(11, 16, body, 0, 10), 'dtls.handshake.too-far-ahead'],
  ])('%s is a fault', (_, octets, code) => {
    expect(reading().feed(octets)?.code).toBe(code);
  });

  it('of a message is one of many at the most, and repeated so often only', () => {
    const gaps = reading();
    const long = Buffer.alloc(1000, 0x11);
    const codes = Array.from({ length: 130 }, (_, i) => gaps.feed(dtls.fragment(11, 0, long, 3 * i, 3 * i + 1))?.code);
    expect(codes.filter((code) => code !== undefined)[0]).toBe('dtls.handshake.too-many-gaps');
    const repeated = reading(1000);
    const again = Array.from({ length: 10 }, () => repeated.feed(dtls.fragment(11, 1, long, 0, 1000))?.code);
    expect(again[6]).toBeUndefined();
    expect(again[7]).toBe('tls.handshake.too-long');
    // The header counts: of nothing there is no end otherwise.
    const empty = reading(1000);
    const nothing = Array.from({ length: 700 }, () => empty.feed(dtls.fragment(11, 1, long, 0, 0))?.code);
    expect(nothing.indexOf('tls.handshake.too-long')).toBe(Math.floor(8000 / 12));
  });

  it('that comes first is the first, of a capture that begins in the middle', () => {
    const { seen, feed } = reading(4096, true);
    feed(dtls.fragment(11, 3, body, 0, 10));
    feed(dtls.fragment(14, 4, Buffer.alloc(0), 0, 0));
    expect(seen).toEqual(['11 0123456789', '14 ']);
  });

  it('of no octets completes an empty message', () => {
    const { seen, feed } = reading();
    feed(dtls.fragment(14, 0, Buffer.alloc(0), 0, 0));
    expect(seen).toEqual(['14 ']);
  });
});

describe('a datagram', () => {
  it('holds records until something else comes', () => {
    const [one] = helloRecords();
    const both = Buffer.concat([one!, dtls.dtlsRecord(20, Buffer.of(1)), Buffer.from('rest')]);
    const { records, isWhole } = readDtlsRecords(both, 0, both.length);
    expect(records).toMatchObject([
      { contentType: 22, version: 0xfefd, epoch: 0, start: 13, end: one!.length },
      { contentType: 20, start: one!.length + 13 },
    ]);
    expect(isWhole).toBe(false);
    expect(readDtlsRecords(both, 0, both.length - 4).isWhole).toBe(true);
  });

  it('of something else is not DTLS', () => {
    const [one] = helloRecords();
    expect(beginsDtls(one!, 0, one!.length)).toBe(true);
    for (let end = 0; end < one!.length; end++) expect(beginsDtls(one!, 0, end)).toBe(false);
    const tlsRecord = tls.record(22, HELLO);
    expect(beginsDtls(tlsRecord, 0, tlsRecord.length)).toBe(false);
  });

  it('of any octets: nothing is thrown', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 5 }), fc.boolean(), (all, isWrapped) => {
        observe(
          all.map((octets) => ['server', isWrapped ? handshake(octets) : octets]),
          false,
        );
        observe(all.map((octets) => ['client', isWrapped ? handshake(octets) : octets]));
      }),
      { numRuns: 300 },
    );
  });
});
