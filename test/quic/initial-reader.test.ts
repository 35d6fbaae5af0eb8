import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { InitialConsumer } from '../../src/quic/initial-reader.ts';
import { InitialReader } from '../../src/quic/initial-reader.ts';
import { QUIC_V2 } from '../../src/quic/version.ts';
import { cryptoFrame, DCID, initialPacket, longPacket, retryPacket } from '../support/quic-bytes.ts';

const HELLO = Buffer.from(Array.from({ length: 2000 }, (_, i) => (i * 7) & 0xff));

class Gathered implements InitialConsumer {
  client = '';
  server = '';
  readonly version: number;

  constructor(version: number) {
    this.version = version;
  }

  onClientCrypto(bytes: Uint8Array, start: number, end: number): undefined {
    this.client += Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }

  onServerCrypto(bytes: Uint8Array, start: number, end: number): undefined {
    this.server += Buffer.from(bytes.subarray(start, end)).toString('latin1');
  }
}

function reading(maxLength = 65_536) {
  const attempts: Gathered[] = [];
  const reader = new InitialReader(maxLength, (version) => {
    attempts.push(new Gathered(version));
    return attempts.at(-1)!;
  });
  const client = (datagram: Uint8Array) => reader.feedClient(datagram, 0, datagram.length);
  return {
    reader,
    attempts,
    client,
    server: (datagram: Uint8Array) => reader.feedServer(datagram, 0, datagram.length),
  };
}

const latin1 = (octets: Uint8Array) => Buffer.from(octets).toString('latin1');
const part = (from: number, to: number) => cryptoFrame(from, HELLO.subarray(from, to));

describe('the client’s CRYPTO stream', () => {
  it('comes in one packet', () => {
    const { attempts, client } = reading();
    expect(client(initialPacket(part(0, 1000)))).toMatchObject({ isLong: true, isUnreadable: false });
    expect(attempts.map((attempt) => attempt.client)).toEqual([latin1(HELLO.subarray(0, 1000))]);
  });

  it('is put together from frames in any order, cut anywhere, repeated, over any number of datagrams', () => {
    const cuts = fc.uniqueArray(fc.integer({ min: 1, max: HELLO.length - 1 }), { maxLength: 20 });
    fc.assert(
      fc.property(cuts, fc.infiniteStream(fc.nat()), fc.integer({ min: 1, max: 4 }), (at, keys, framesEach) => {
        const edges = [0, ...at.sort((a, b) => a - b), HELLO.length];
        const frames = edges.slice(1).map((end, i) => part(edges[i]!, end));
        const shuffled = [...frames, ...frames.slice(0, 3)]
          .map((frame) => ({ frame, key: keys.next().value }))
          .sort((a, b) => a.key - b.key)
          .map(({ frame }) => frame);
        const { attempts, client } = reading();
        for (let i = 0; i < shuffled.length; i += framesEach) {
          client(initialPacket(Buffer.concat(shuffled.slice(i, i + framesEach)), { packetNumber: i }));
        }
        expect(attempts.map((attempt) => attempt.client)).toEqual([latin1(HELLO)]);
      }),
      { numRuns: 50 },
    );
  });

  it('may overlap as long as it says the same', () => {
    const { attempts, client } = reading();
    client(initialPacket(Buffer.concat([part(10, 40), part(0, 20), part(15, 50), part(30, 35), part(0, 100)])));
    expect(attempts[0]!.client).toBe(latin1(HELLO.subarray(0, 100)));
  });

  it.each([
    ['of what was delivered', [part(0, 50), cryptoFrame(20, Buffer.alloc(10, 0xee))]],
    ['of what waits behind a gap', [part(20, 50), cryptoFrame(10, Buffer.alloc(20, 0xee))]],
  ])('with another value %s is a fault', (_, frames) => {
    const { client } = reading();
    expect(client(initialPacket(Buffer.concat(frames))).attempts[0]!.fault?.code).toBe('quic.crypto.conflict');
  });

  it('is bounded in octets and in gaps, and costs what was received', () => {
    const { client, attempts } = reading(4096);
    const far = client(initialPacket(cryptoFrame(4090, Buffer.alloc(7))));
    expect(far.attempts[0]!.fault?.code).toBe('quic.crypto.too-long');
    client(initialPacket(part(0, 100)));
    expect(attempts[0]!.client).toBe('');
    const gaps = reading();
    const frames = Array.from({ length: 257 }, (_, i) => cryptoFrame(2 * i + 1, Buffer.of(1)));
    expect(gaps.client(initialPacket(Buffer.concat(frames))).attempts[0]!.fault?.code).toBe(
      'quic.crypto.too-many-gaps',
    );
  });
});

describe('a datagram', () => {
  it('may hold several packets, and padding behind them', () => {
    const { attempts, client } = reading();
    const handshake = longPacket(0x20, 1, Buffer.from('0004deadbeef'.padEnd(12, '0'), 'hex').subarray(1));
    client(
      Buffer.concat([
        initialPacket(part(0, 60)),
        initialPacket(part(60, 200), { packetNumber: 1 }),
        handshake,
        Buffer.alloc(30),
      ]),
    );
    expect(attempts.map((attempt) => attempt.client)).toEqual([latin1(HELLO.subarray(0, 200))]);
  });

  it.each([
    ['of a version that nobody here knows', longPacket(0x00, 0x1a2a3a4a, Buffer.alloc(1200))],
    ['of another connection in its middle', initialPacket(part(0, 9), { originalDcid: Buffer.from('another') })],
    ['whose lengths do not fit', initialPacket(part(0, 60)).subarray(0, 50)],
  ])('%s is unreadable', (_, datagram) => {
    expect(reading().client(datagram)).toEqual({ attempts: [], isLong: true, isUnreadable: true });
  });

  it.each([
    ['that open', (dcid: Buffer) => initialPacket(part(0, 9), { dcid })],
    [
      'that nobody can open',
      (dcid: Buffer) => initialPacket(part(0, 9), { dcid, originalDcid: Buffer.from('another') }),
    ],
  ])('of any number of packets %s is of one connection: keys are made once', (_, packet) => {
    const { attempts, client } = reading();
    const datagram = Buffer.concat(Array.from({ length: 24 }, (_, i) => packet(Buffer.from([7, 7, 7, 7, 7, 7, 7, i]))));
    expect(client(datagram).isUnreadable).toBe(true);
    expect(attempts).toHaveLength(1);
  });

  it('with a short header shows nothing', () => {
    expect(reading().client(Buffer.alloc(40, 0x41))).toEqual({ attempts: [], isLong: false, isUnreadable: false });
  });

  it('cut at any octet, or of any octets: nothing is thrown', () => {
    const whole = Buffer.concat([initialPacket(part(0, 60)), initialPacket(part(60, 90), { packetNumber: 1 })]);
    for (let end = 0; end <= whole.length; end++) reading().client(whole.subarray(0, end));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (octets) => {
        const { client, server } = reading();
        client(octets);
        server(octets);
        client(Buffer.concat([longPacket(0, 1, octets)]));
        client(initialPacket(octets));
      }),
      { numRuns: 300 },
    );
  });
});

describe('connection IDs', () => {
  it('of the server’s choice change nothing: the keys are those of the first', () => {
    const { attempts, client } = reading();
    client(initialPacket(part(0, 60)));
    client(initialPacket(part(60, 90), { dcid: Buffer.from('server'), originalDcid: DCID, packetNumber: 1 }));
    expect(attempts.map((attempt) => attempt.client)).toEqual([latin1(HELLO.subarray(0, 90))]);
  });

  it('after a Retry are another attempt’s, which begins again', () => {
    const { attempts, client, server } = reading();
    client(initialPacket(part(0, 60)));
    server(retryPacket(Buffer.from('retried')));
    client(initialPacket(part(0, 90), { dcid: Buffer.from('retried'), token: Buffer.alloc(70), packetNumber: 1 }));
    expect(attempts.map((attempt) => attempt.client)).toEqual(
      [HELLO.subarray(0, 60), HELLO.subarray(0, 90)].map(latin1),
    );
  });

  it('of several connections between two endpoints are kept apart', () => {
    const { attempts, client } = reading();
    const other = Buffer.from('another1');
    client(initialPacket(part(0, 60)));
    client(initialPacket(cryptoFrame(0, Buffer.from('two')), { dcid: other }));
    client(initialPacket(part(60, 90), { packetNumber: 1 }));
    client(initialPacket(cryptoFrame(3, Buffer.from(' of them')), { dcid: other, packetNumber: 1 }));
    expect(attempts.map((attempt) => attempt.client)).toEqual([latin1(HELLO.subarray(0, 90)), 'two of them']);
  });

  it('tell whose answer the server’s packets are', () => {
    const { attempts, client, server } = reading();
    const other = Buffer.from('another1');
    client(initialPacket(part(0, 60)));
    client(initialPacket(part(0, 60), { dcid: other }));
    server(
      initialPacket(cryptoFrame(0, Buffer.from('hello')), { dcid: Buffer.of(), originalDcid: DCID, from: 'server' }),
    );
    expect(attempts.map((attempt) => attempt.server)).toEqual(['hello', '']);
  });
});

it('a server may go on in version 2 with the same connection ID (RFC 9369 §4.1)', () => {
  const { attempts, client, server } = reading();
  client(initialPacket(part(0, 60)));
  const v2 = { version: QUIC_V2, originalDcid: DCID, dcid: Buffer.of() };
  server(initialPacket(cryptoFrame(0, Buffer.from('hello')), { ...v2, from: 'server' }));
  client(initialPacket(part(60, 90), { ...v2, dcid: Buffer.from('server'), packetNumber: 1 }));
  expect(attempts).toMatchObject([{ client: latin1(HELLO.subarray(0, 90)), server: 'hello' }]);
});
