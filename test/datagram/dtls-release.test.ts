/**
 * What of a server's datagrams a client may have: none that holds anything which nobody here has read, ahead of a ruling
 * none that is not permitted by name, and behind one nothing else than what was accepted.
 */
import { describe, expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import type { ChainFacts, ExamineRequest } from '../../src/x509/examine.ts';
import { certificate } from '../support/certificates.ts';
import { DatagramWire } from '../support/datagram-wire.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { ACCEPT, bank, bankWith, FORGED, GENUINE, genuinePin, HOST } from '../support/flows.ts';
import { pin } from '../support/policy.ts';
import * as tls from '../support/tls-bytes.ts';

const handshake = (...parts: readonly Uint8Array[]) => dtls.dtlsRecord(22, Buffer.concat(parts));
const hello = (fields: tls.HelloFields = {}) =>
  handshake(...dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name: HOST, ...fields })), 0));
const messagesOf = (certificate: string) => [
  dtls.overDatagrams(tls.serverHello({ suite: 0xc02f })),
  tls.certificateMessage(certificate),
  tls.serverKeyExchange(),
  tls.serverHelloDone,
];
const flightOf = (certificate: string, seq = 0) =>
  handshake(...messagesOf(certificate).flatMap((message, i) => dtls.fragments(message, seq + i)));
const changeCipherSpec = dtls.dtlsRecord(20, Buffer.of(1));
const finished = dtls.dtlsRecord(22, Buffer.alloc(60, 0x5a), { epoch: 1 });
const data = dtls.dtlsRecord(23, Buffer.alloc(60, 0xda), { epoch: 1 });
const keyExchange = handshake(...dtls.fragments(tls.handshake(16, tls.vector16(Buffer.alloc(65, 0x0c))), 1));
const goesOn = Buffer.concat([keyExchange, changeCipherSpec, finished]);
const forgedDer = Buffer.from(certificate('forged'));
const hasForged = (wire: DatagramWire) => wire.atClient.some((datagram) => datagram.includes(forgedDer));

const pinned = (fields = {}, options = {}) => {
  const wire = new DatagramWire({ pinsets: [bank()], ...fields }, options);
  wire.fromClient(hello());
  return wire;
};
const TIMEOUT = LIMIT_DEFAULTS.handshakeTimeout + 1;

/** What receivers may pass over, to read on behind it. */
const wrappings: readonly (readonly [string, (flight: Buffer) => Buffer])[] = [
  [
    'behind a record of a version that nobody speaks',
    (f) => behind(dtls.dtlsRecord(22, NOTHING, { version: 0xfd00 }), f),
  ],
  [
    'behind such a record that is not the first',
    (f) => behind(warning, dtls.dtlsRecord(22, NOTHING, { version: 0xfd00 }), f),
  ],
  [
    'in a record of a version that nobody speaks',
    (f) => Buffer.concat([f.subarray(0, 1), Buffer.of(0xfe, 0x00), f.subarray(3)]),
  ],
  ['behind a record with a connection ID', (f) => behind(dtls.dtlsRecord(25, NOTHING), f)],
  ['behind one that claims to be encrypted', (f) => behind(dtls.dtlsRecord(25, NOTHING, { epoch: 1 }), f)],
  ['behind a record of an unknown type', (f) => behind(dtls.dtlsRecord(26, NOTHING), f)],
  ['behind a record of DTLS 1.3', (f) => behind(Buffer.concat([Buffer.of(0x2f), Buffer.alloc(30, 0x13)]), f)],
  ['behind octets of another protocol', (f) => behind(Buffer.from('000100002112a44200000000', 'hex'), f)],
  ['ahead of octets that are no record', (f) => behind(f, Buffer.of(0))],
  ['ahead of a record that is cut', (f) => behind(f, warning.subarray(0, -1))],
  ['ahead of a header that is cut', (f) => behind(f, warning.subarray(0, 12))],
  [
    'behind a record that is longer than any',
    (f) => behind(dtls.dtlsRecord(23, Buffer.alloc(0x4801), { epoch: 1 }), f),
  ],
  ['behind a handshake record without octets', (f) => behind(handshake(), f)],
  ['behind an alert without octets', (f) => behind(dtls.dtlsRecord(21, NOTHING), f)],
  ['behind an alert of three octets', (f) => behind(dtls.dtlsRecord(21, Buffer.of(1, 0, 0)), f)],
  ['behind a ChangeCipherSpec of two octets', (f) => behind(dtls.dtlsRecord(20, Buffer.of(1, 1)), f)],
  ['behind data in clear', (f) => behind(dtls.dtlsRecord(23, Buffer.from('data')), f)],
  ['behind a heartbeat', (f) => behind(dtls.dtlsRecord(24, Buffer.from('beat')), f)],
];
const NOTHING = Buffer.alloc(0);
const warning = dtls.dtlsRecord(21, Buffer.of(1, 112));
function behind(...records: readonly Buffer[]): Buffer {
  return Buffer.concat(records);
}

describe.each(wrappings)('a flight %s', (_, wrap) => {
  it('does not go, forged or genuine, and denies with the time of the handshake', () => {
    for (const which of [FORGED, GENUINE]) {
      const wire = pinned();
      expect(wire.fromServer(wrap(flightOf(which)))).toBe('drop');
      expect(wire.atClient).toEqual([]);
      wire.wait(TIMEOUT);
      expect(wire.fromServer(flightOf(GENUINE))).toBe('drop');
      expect(wire.fromClient(goesOn)).toBe('drop');
      expect(wire.verdicts).toMatchObject([{ action: 'drop' }]);
    }
  });

  it('keeps nobody from the genuine one that follows it', () => {
    const wire = pinned();
    expect(wire.fromServer(wrap(flightOf(GENUINE)))).toBe('drop');
    expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
    expect(wire.fromClient(goesOn)).toBe('accept');
    wire.wait(TIMEOUT);
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('does not go either behind a genuine one that the client never got', () => {
    const wire = pinned();
    expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
    wire.atClient.length = 0;
    expect(wire.fromServer(wrap(flightOf(FORGED)))).toBe('drop');
    expect(hasForged(wire)).toBe(false);
    expect(wire.connmark).toBe(0);
  });

  it('goes where pinsets only report, and to nobody’s host', () => {
    for (const [pinsets, name] of [
      [[bank({ mode: 'report-only' })], HOST],
      [[bank()], 'www.other.example'],
    ] as const) {
      const wire = new DatagramWire({ pinsets });
      wire.fromClient(hello({ name }));
      expect(wire.fromServer(wrap(flightOf(FORGED)))).toBe('accept');
      expect(wire.fromClient(goesOn)).toBe('accept');
    }
  });
});

describe('a record that a client may leave at its header, to read on in its octets', () => {
  /** As OpenSSL does: what is hidden begins thirteen octets into the record, in a fragment that is never asked for. */
  const hiding = (flight: Buffer, fields: dtls.RecordFields) =>
    dtls.dtlsRecord(
      22,
      dtls.fragment(11, 9, Buffer.concat([Buffer.alloc(1), flight, Buffer.alloc(9)]), 0, 1 + flight.length),
      fields,
    );
  const [serverHello] = messagesOf(GENUINE);
  const answer = handshake(...dtls.fragments(serverHello!, 0));

  it('of another version than was chosen does not go, and behind a ruling neither', () => {
    const wire = pinned();
    expect(wire.fromServer(answer)).toBe('accept');
    expect(wire.fromServer(hiding(flightOf(FORGED), { version: 0xfeff }))).toBe('drop');
    expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
    expect(wire.fromServer(hiding(flightOf(FORGED), { version: 0xfeff }))).toBe('drop');
    expect(wire.fromServer(hiding(flightOf(FORGED), { version: 0xfeff, epoch: 1 }))).toBe('drop');
    expect(hasForged(wire)).toBe(false);
  });

  it('of another one does not go in the datagram that chooses either', () => {
    const wire = pinned();
    expect(wire.fromServer(Buffer.concat([answer, hiding(flightOf(FORGED), { version: 0xfeff })]))).toBe('drop');
  });

  it('of a version that the client’s is none of does not go at any time', () => {
    const wire = pinned();
    expect(wire.fromServer(hiding(flightOf(FORGED), { version: 0x0100 }))).toBe('drop');
  });

  it('does not go in the form of DTLS 1.3 where an older one is spoken', () => {
    const wire = pinned();
    const inside = Buffer.concat([Buffer.alloc(9), flightOf(FORGED)]);
    const unified = Buffer.concat([Buffer.of(0x2d, 0), tls.vector16(inside)]);
    expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
    expect(wire.fromServer(unified)).toBe('drop');
  });

  it('does not go encrypted either while the client has not gone on: nobody can have agreed on keys', () => {
    const hidden = hiding(flightOf(FORGED), { epoch: 1 });
    for (const datagrams of [[Buffer.concat([flightOf(GENUINE), hidden])], [flightOf(GENUINE), hidden]]) {
      const wire = pinned();
      const verdicts = datagrams.map((datagram) => wire.fromServer(datagram));
      expect(verdicts.at(-1)).toBe('drop');
      expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
      expect(wire.fromClient(goesOn)).toBe('accept');
      expect(wire.fromServer(Buffer.concat([changeCipherSpec, finished]))).toBe('accept');
      expect(hasForged(wire)).toBe(false);
    }
  });

  it('does not go where it is longer than was agreed to', () => {
    const extensions = [tls.extension(1, Buffer.of(1))];
    const agreed = dtls.overDatagrams(tls.serverHello({ suite: 0xc02f, extensions }));
    for (const [chosen, verdict] of [
      [agreed, 'drop'],
      [serverHello!, 'accept'],
    ] as const) {
      const wire = pinned();
      expect(wire.fromServer(handshake(...dtls.fragments(chosen, 0)))).toBe('accept');
      const [part] = dtls.fragments(tls.certificateMessage(FORGED), 1, 513 - 12);
      expect(wire.fromServer(handshake(part!))).toBe(verdict);
    }
  });

  it('is of any version until one is chosen: cookies come in the oldest', () => {
    const wire = pinned();
    const message = dtls.helloVerifyRequest(Buffer.alloc(20, 0xc0));
    expect(wire.fromServer(dtls.dtlsRecord(22, Buffer.concat(dtls.fragments(message, 0)), { version: 0xfeff }))).toBe(
      'accept',
    );
  });
});

it('of datagrams that will be cut on their way nothing is taken for what the client gets', () => {
  const wire = pinned();
  expect(wire.fromServer(flightOf(GENUINE), { isGso: true })).toBe('drop');
  expect(wire.fromServer(flightOf(GENUINE))).toBe('accept');
});

describe('ahead of the ruling', () => {
  const [serverHello, certificate, exchange] = messagesOf(GENUINE);
  const first = (message: Uint8Array, octets: number) => dtls.fragment(message[0]!, 0, message.subarray(4), 0, octets);
  const cookie = (octet: number) => handshake(...dtls.fragments(dtls.helloVerifyRequest(Buffer.alloc(20, octet)), 0));

  it.each([
    ['a part of the ServerHello', () => handshake(first(serverHello!, 20))],
    ['the ServerHello', () => handshake(...dtls.fragments(serverHello!, 0))],
    ['a HelloVerifyRequest', () => cookie(0xc0)],
    ['an alert', () => warning],
    ['what comes behind a ServerHello that is not there', () => handshake(...dtls.fragments(certificate!, 1))],
    [
      'the Certificate but for an octet',
      () =>
        handshake(
          ...dtls.fragments(serverHello!, 0),
          ...dtls.fragments(tls.certificateMessage(FORGED), 1, 512).slice(0, -1),
        ),
    ],
    [
      'one that matches, and its proof',
      () =>
        handshake(
          ...dtls.fragments(serverHello!, 0),
          ...dtls.fragments(certificate!, 1),
          ...dtls.fragments(exchange!, 2),
        ),
    ],
  ])('%s may go, with nothing decided', (_, datagram) => {
    const wire = pinned();
    expect(wire.fromServer(datagram())).toBe('accept');
    expect(wire.verdicts).toEqual([]);
  });

  it.each([
    ['a HelloVerifyRequest', () => cookie(0xc0), 'pin-mismatch'],
    ['another ServerHello', () => handshake(...dtls.fragments(serverHello!, 0)), 'parse-error'],
  ])('%s may not go where it is all that a forged flight ahead of it lacks', (_, datagram, reason) => {
    const wire = pinned();
    expect(wire.fromServer(flightOf(FORGED, 1))).toBe('accept');
    expect(wire.fromServer(datagram())).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason }]);
  });

  it.each([
    ['a ChangeCipherSpec', changeCipherSpec],
    ['what is encrypted', finished],
    ['what is encrypted, behind a permitted record', Buffer.concat([warning, data])],
  ])('%s may not', (_, datagram) => {
    const wire = pinned();
    expect(wire.fromServer(datagram)).toBe('drop');
    expect(wire.fromServer(handshake(...dtls.fragments(serverHello!, 0)))).not.toBe('held');
    expect(wire.fromServer(datagram)).toBe('drop');
  });

  it('the client may ask, and not go on with an answer that took another way', () => {
    const wire = pinned();
    expect(wire.fromClient(hello())).toBe('accept');
    expect(wire.fromClient(warning)).toBe('accept');
    for (const datagram of [keyExchange, goesOn, changeCipherSpec, data])
      expect(wire.fromClient(datagram)).toBe('drop');
    wire.wait(TIMEOUT);
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'incomplete', fault: 'dtls.record.early' }]);
  });

  it('a hello that is not whole is answered by nothing', () => {
    const wire = new DatagramWire({ pinsets: [bank()] });
    const [one, two] = dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name: HOST })), 0, 60);
    expect(wire.fromClient(handshake(one!))).toBe('accept');
    expect(wire.fromServer(cookie(0xc0))).toBe('drop');
    expect(wire.fromClient(handshake(two!))).toBe('accept');
    expect(wire.verdicts).toEqual([]);
  });

  it('another cookie is no other answer, since its sender keeps no state', () => {
    const wire = pinned();
    expect(wire.fromServer(cookie(0xc0))).toBe('accept');
    expect(wire.fromServer(cookie(0xc1))).toBe('accept');
    const again = dtls.withCookie(tls.clientHelloMessage({ name: HOST }), Buffer.alloc(20, 0xc1));
    expect(wire.fromClient(handshake(...dtls.fragments(again, 1)))).toBe('accept');
    expect(wire.fromServer(flightOf(FORGED, 1))).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ reason: 'pin-mismatch' }]);
  });

  it.each([
    [
      'behind a ServerHello',
      () =>
        Buffer.concat([
          handshake(...dtls.fragments(serverHello!, 0)),
          handshake(...dtls.fragments(dtls.helloVerifyRequest(NOTHING), 1)),
        ]),
    ],
    [
      'that goes on behind its cookie',
      () => handshake(...dtls.fragments(Buffer.concat([Buffer.of(3, 0, 0, 4, 0xfe, 0xff, 0, 0)]), 0)),
    ],
  ])('a HelloVerifyRequest %s denies', (_, datagram) => {
    const wire = pinned();
    expect(wire.fromServer(datagram())).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'parse-error' }]);
  });

  it('what ends undecided is told as what it came to', () => {
    const wire = pinned();
    wire.fromServer(handshake(...dtls.fragments(serverHello!, 0)));
    wire.finish();
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'incomplete', pinset: 'pinset-0', connmark: null }]);
  });

  it('a reload, or the end, lets nothing go that waits for an answer', () => {
    const pinsets = [
      bank({
        pins: [pin('spki-sha256', genuinePin.key, { at: 'path' })],
        situations: { ...bank().situations, checks: { ...bank().situations.checks, validity: 'on' } },
      }),
    ];
    const asked: ((facts: ChainFacts) => void)[] = [];
    const examiner = { examine: (_: ExamineRequest, done: (facts: ChainFacts) => void) => void asked.push(done) };
    const wire = pinned({ pinsets }, { examiner });
    expect(wire.fromServer(flightOf(GENUINE))).toBe('held');
    wire.reload({ pinsets });
    expect(wire.answers.get(2)).toBe('held');
    wire.finish();
    expect(wire.answers.get(2)).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ action: 'drop', reason: 'incomplete' }]);
  });
});

describe('a server that takes a session of its own', () => {
  const HELLO_RETRY = Buffer.from('cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c', 'hex');
  const id = Buffer.alloc(32, 0x1d);
  const cases = [0xfefd, 0xfeff].flatMap((version) =>
    [undefined, HELLO_RETRY].flatMap((random) =>
      (['id', 'ticket'] as const).map((by) => ({
        title: `${version === 0xfefd ? 'DTLS 1.2' : 'DTLS 1.0'}, by its ${by}, ${random ? 'the random of HelloRetryRequest' : 'any random'}`,
        ask: by === 'id' ? { sessionId: id } : { ticket: Buffer.from('ticket') },
        answer: handshake(
          ...dtls.fragments(
            dtls.overDatagrams(
              tls.serverHello({ suite: 0xc02f, ...(random && { random }), ...(by === 'id' && { sessionId: id }) }),
              version,
            ),
            0,
          ),
        ),
      })),
    ),
  );

  it.each(cases)('$title: neither side’s data get anywhere', ({ ask, answer }) => {
    for (const datagrams of [
      [Buffer.concat([answer, changeCipherSpec, finished])],
      [answer, changeCipherSpec, finished],
      [changeCipherSpec, answer, finished],
      [finished, changeCipherSpec, answer],
      [Buffer.concat([changeCipherSpec, finished]), answer],
      // A message that is far ahead of what comes next, so that the ChangeCipherSpec seems to have come too early.
      [handshake(dtls.fragment(11, 5, Buffer.alloc(100), 0, 10)), answer, changeCipherSpec, finished],
    ]) {
      const wire = new DatagramWire({ pinsets: [bankWith({ resumed: 'bound' })] });
      wire.fromClient(hello(ask));
      for (const datagram of datagrams) wire.fromServer(datagram);
      expect(wire.fromServer(data)).toBe('drop');
      expect(wire.fromClient(Buffer.concat([changeCipherSpec, finished]))).toBe('drop');
      expect(wire.fromClient(data)).toBe('drop');
      const hasAll = [answer, changeCipherSpec, finished].every((part) =>
        wire.atClient.some((got) => got.includes(part)),
      );
      expect(hasAll).toBe(false);
      wire.wait(TIMEOUT);
      expect(wire.verdicts).toMatchObject([{ action: 'drop' }]);
    }
  });

  it('is accepted where the configuration says so, and the rest goes by', () => {
    const { ask, answer } = cases[0]!;
    const wire = new DatagramWire({ pinsets: [bankWith({ resumed: 'accept' })] });
    wire.fromClient(hello(ask));
    expect(wire.fromServer(Buffer.concat([answer, changeCipherSpec, finished]))).toBe('accept');
    expect(wire.fromClient(Buffer.concat([changeCipherSpec, finished]))).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
  });
});

describe('DTLS 1.3', () => {
  const asks = { supportedVersions: [0xfefc, 0xfefd] };
  const answer = handshake(
    ...dtls.fragments(dtls.overDatagrams(tls.serverHello({ suite: 0x1301, selectedVersion: 0xfefc })), 0),
  );
  const sealed = Buffer.concat([Buffer.of(0x2e, 0, 1), tls.vector16(Buffer.alloc(80, 0x13))]);

  it('is denied, since its certificate is hidden and nobody asks for it over datagrams', () => {
    for (const tls13 of ['deny', 'probe', 'keylog', 'keylog-else-probe'] as const) {
      const wire = new DatagramWire({ pinsets: [bankWith({ tls13 })] });
      wire.fromClient(hello(asks));
      expect(wire.fromServer(Buffer.concat([answer, sealed]))).toBe('drop');
      expect(wire.fromServer(sealed)).toBe('drop');
      expect(wire.fromClient(sealed)).toBe('drop');
      expect(wire.verdicts).toMatchObject([{ action: 'drop' }]);
    }
  });

  it('passes where the configuration accepts it', () => {
    const wire = new DatagramWire({ pinsets: [bankWith({ tls13: 'accept' })] });
    wire.fromClient(hello(asks));
    expect(wire.fromServer(Buffer.concat([answer, sealed]))).toBe('accept');
    expect(wire.fromClient(sealed)).toBe('accept');
    expect(wire.connmark).toBe(ACCEPT);
  });

  it('is no answer to a client that did not offer it', () => {
    const wire = pinned();
    expect(wire.fromServer(answer)).toBe('drop');
    expect(wire.verdicts).toMatchObject([{ reason: 'parse-error' }]);
  });
});
