/**
 * An attacker between the engine and a server of DTLS: flights, genuine and forged, in any fragments, records and
 * datagrams, with anything ahead of them, between them and behind them, while the client asks again. Says what must hold
 * of what the client is let have, however it reads.
 */
import fc from 'fast-check';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { DatagramWire } from './datagram-wire.ts';
import * as dtls from './dtls-bytes.ts';
import { DtlsReaders } from './dtls-reader.ts';
import { bank, FORGED, GENUINE, HOST } from './flows.ts';
import { copiedOctets } from './fuzz.ts';
import { mutated } from './mutation.ts';
import * as tls from './tls-bytes.ts';

export type DatagramMove =
  | { readonly move: 'server'; readonly datagram: Buffer; readonly isGso: boolean }
  | { readonly move: 'client-asks'; readonly cookie: number }
  | { readonly move: 'reload' }
  | { readonly move: 'wait'; readonly milliseconds: number };

const flights = [GENUINE, FORGED].map((file) => [
  dtls.overDatagrams(tls.serverHello({ suite: 0xc02f })),
  tls.certificateMessage(file),
  tls.serverKeyExchange(),
  tls.serverHelloDone,
]);

const [most, few] = [fc.constantFrom(0xfefd, 0xfefd, 0xfefd), fc.constantFrom(0xfeff, 0x0100, 0xfefc, 0x0303, 0xfdfd)];
const header = fc.record({
  version: fc.oneof({ weight: 6, arbitrary: most }, { weight: 1, arbitrary: few }),
  epoch: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 2),
});

/** One message of a flight in fragments, some of them, each in a record. */
const piece: fc.Arbitrary<Buffer> = fc
  .record({
    flight: fc.nat(1),
    message: fc.constantFrom(0, 1, 1, 1, 2, 3),
    seq: fc.constantFrom(0, 0, 0, 1),
    size: fc.constantFrom(10_000, 10_000, 400, 60),
    from: fc.constantFrom(0, 0, 0, 1, 2),
    fields: header,
    isBackwards: fc.boolean(),
    areJoined: fc.boolean(),
  })
  .map(({ flight, message, seq, size, from, fields, isBackwards, areJoined }) => {
    const all = dtls.fragments(flights[flight]![message]!, message + seq, size).slice(from);
    if (isBackwards) all.reverse();
    const records = areJoined ? [Buffer.concat(all)] : all;
    return Buffer.concat(records.map((record) => dtls.dtlsRecord(22, record, fields)));
  });

const whole: fc.Arbitrary<Buffer> = fc
  .record({ flight: fc.nat(1), fields: header })
  .map(({ flight, fields }) =>
    Buffer.concat(
      flights[flight]!.map((message, seq) => dtls.dtlsRecord(22, Buffer.concat(dtls.fragments(message, seq)), fields)),
    ),
  );

const junk: fc.Arbitrary<Buffer> = fc.oneof(
  fc.uint8Array({ minLength: 1, maxLength: 14 }).map((octets) => Buffer.from(octets)),
  fc
    .record({
      type: fc.constantFrom(20, 21, 22, 23, 24, 25, 26, 0x2f, 99),
      length: fc.constantFrom(0, 1, 2, 13, 40),
      fields: header,
    })
    .map(({ type, length, fields }) => dtls.dtlsRecord(type, Buffer.alloc(length, 1), fields)),
  fc.constantFrom(
    dtls.dtlsRecord(22, Buffer.concat(dtls.fragments(dtls.helloVerifyRequest(Buffer.alloc(8, 7)), 0))),
    dtls.dtlsRecord(21, Buffer.of(1, 112)),
    dtls.dtlsRecord(20, Buffer.of(1)),
    dtls.dtlsRecord(22, Buffer.alloc(12)),
    Buffer.concat([Buffer.of(0x2d, 0, 0, 20), Buffer.alloc(20, 0x13)]),
  ),
);

/** What is in a record that a client may leave at its header, to read on within. */
const hidden: fc.Arbitrary<Buffer> = fc
  .record({ inside: fc.oneof(piece, whole), type: fc.constantFrom(22, 23, 25, 21), fields: header, skip: fc.nat(2) })
  .map(({ inside, type, fields, skip }) =>
    dtls.dtlsRecord(type, Buffer.concat([Buffer.alloc(skip), inside]).subarray(0, 16_000), fields),
  );

const datagram: fc.Arbitrary<Buffer> = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: piece },
      { weight: 2, arbitrary: whole },
      { weight: 3, arbitrary: junk },
      { weight: 2, arbitrary: hidden },
    ),
    { minLength: 1, maxLength: 4 },
  )
  .chain((parts) => {
    const made = Buffer.concat(parts);
    return fc.oneof({ weight: 5, arbitrary: fc.constant(made) }, { weight: 1, arbitrary: mutated(made) });
  });

const move: fc.Arbitrary<DatagramMove> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      move: fc.constant('server' as const),
      datagram,
      isGso: fc.constantFrom(false, false, false, false, false, false, true),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ move: fc.constant('client-asks' as const), cookie: fc.nat(2) }),
  },
  { weight: 1, arbitrary: fc.record({ move: fc.constant('reload' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      move: fc.constant('wait' as const),
      milliseconds: fc.constantFrom(10, 1000, LIMIT_DEFAULTS.handshakeTimeout + 1, 61_000),
    }),
  },
);

export const datagramMoves = fc.array(move, { minLength: 1, maxLength: 14, size: 'max' });

/** Throws where a client could have the whole of a forged Certificate, or work does not follow what came. */
export function playDatagrams(moves: readonly DatagramMove[], { isPinned = true } = {}): void {
  const pinsets = isPinned ? [bank()] : [];
  const wire = new DatagramWire({ pinsets });
  const [hello, certificate] = flights[1]!.map((message) => new DtlsReaders(message)) as [DtlsReaders, DtlsReaders];
  let octets = 0;
  const copied = copiedOctets(() => {
    wire.fromClient(helloWith(0, 0));
    for (const each of moves) {
      if (each.move === 'server') {
        octets += each.datagram.length;
        wire.fromServer(each.datagram, { isGso: each.isGso });
      } else if (each.move === 'client-asks') wire.fromClient(helloWith(each.cookie, each.cookie === 0 ? 0 : 1));
      else if (each.move === 'reload') wire.reload({ pinsets });
      else wire.wait(each.milliseconds);
    }
  });
  for (const arrived of wire.atClient) for (const readers of [hello, certificate]) readers.read(arrived);
  wire.finish();
  // Ahead of its ServerHello nobody takes it, nor that ahead of what came first (RFC 6347 §4.2.2).
  if (certificate.whole.some((seq) => hello.whole.includes(seq - 1) && hello.isReached(seq - 1)))
    throw new Error('a client may read the whole of a forged Certificate');
  if (copied > COPIES_AN_OCTET * octets + COPIES_A_RUN) throw new Error(`${copied} octets copied of ${octets}`);
}

function helloWith(cookie: number, seq: number): Buffer {
  const message = dtls.withCookie(tls.clientHelloMessage({ name: HOST }), Buffer.alloc(cookie * 8, 7));
  return dtls.dtlsRecord(22, Buffer.concat(dtls.fragments(message, seq)));
}

const COPIES_AN_OCTET = 32;
const COPIES_A_RUN = 65_536;
