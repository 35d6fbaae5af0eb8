/**
 * One conversation over QUIC, datagram by datagram: what its client's get by the names that it begins with, what waits for
 * the rest of a name, and what is said. And beside it, what a pair of endpoints speaks, and what is recorded of that.
 */
import { describe, expect, it } from 'vitest';

import { Marks } from '../../src/connection/marks.ts';
import { DatagramFlow, type FlowIdentity } from '../../src/datagram/flow.ts';
import { datagramSubject, worse } from '../../src/datagram/packet.ts';
import { QuicConversation } from '../../src/datagram/quic.ts';
import { datagramEvent } from '../../src/datagram/record.ts';
import { FlowFacts } from '../../src/judge/facts.ts';
import type { Ruling } from '../../src/judge/ruling.ts';
import { CONNMARK_DEFAULTS } from '../../src/pins/compile/connmark.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate } from '../support/certificates.ts';
import { ConversationBench, type HostFields } from '../support/conversation-bench.ts';
import * as dtls from '../support/dtls-bytes.ts';
import { bank, bankWith, HOST } from '../support/flows.ts';
import { match, pinset, policy, range, UNPINNED } from '../support/policy.ts';
import { cryptoFrame, initialPacket, longPacket } from '../support/quic-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const OTHER = 'www.other.example';
const dcid = (octet: number) => Buffer.alloc(8, octet);
const message = (name?: string) => tls.clientHelloMessage({ name, supportedVersions: [0x0304] });
const initial = (octets: Uint8Array, id = 1, at = 0) =>
  initialPacket(cryptoFrame(at, octets), { padTo: 1100, dcid: dcid(id), packetNumber: at });
const hello = (name?: string, id = 1) => initial(message(name), id);
const halves = (name: string, id = 1) => {
  const octets = message(name);
  return [initial(octets.subarray(0, 50), id), initial(octets.subarray(50), id, 50)] as const;
};
const zeroRtt = longPacket(0x10, 1, Buffer.of(0x40, 40, ...Buffer.alloc(40)), dcid(1));
const SHORT = Buffer.alloc(60, 0x45);

class Spoken extends ConversationBench {
  readonly conversation: QuicConversation;

  constructor(fields: object = { pinsets: [bank()] }, host: HostFields = {}) {
    super(fields, host);
    this.conversation = new QuicConversation(this.host);
  }

  client(...datagrams: readonly Uint8Array[]): string[] {
    return datagrams.map((data) => this.conversation.onClient(this.packet(data, true)));
  }

  server(data: Uint8Array): string {
    return this.conversation.onServer(this.packet(data, false));
  }

  get said(): string[] {
    return this.reported.map(({ ruling }) => `${ruling.action} ${ruling.reason} ${ruling.fault}`);
  }
}

describe('a name over QUIC', () => {
  it('decides what all of its connection gets', () => {
    for (const [name, verdict, said] of [
      [HOST, 'reject', 'reset quic null'],
      [OTHER, 'accept', 'accept unpinned null'],
    ] as const) {
      const at = new Spoken();
      expect(at.client(hello(name), zeroRtt, SHORT)).toEqual([verdict, verdict, verdict]);
      expect([at.server(SHORT), at.said]).toEqual([verdict === 'accept' ? 'accept' : 'drop', [said]]);
      expect(at.conversation.accepted() !== undefined).toBe(verdict === 'accept');
    }
  });

  it('of one connection does not let another pass unseen, though its rest may be either’s', () => {
    const at = new Spoken();
    expect(at.client(hello(HOST), hello(OTHER, 2), SHORT)).toEqual(['reject', 'accept', 'accept']);
    expect(at.conversation.accepted()).toBeUndefined();
  });

  it('is remembered for the last sixteen connections', () => {
    const at = new Spoken();
    at.client(hello(HOST, 100), ...Array.from({ length: 15 }, (_, i) => hello(OTHER, i + 1)));
    expect(at.conversation.accepted()).toBeUndefined();
    at.client(hello(OTHER, 16));
    expect(at.conversation.accepted()).toBeDefined();
  });

  it('is said once, and no more than sixteen are', () => {
    const at = new Spoken({ pinsets: [pinset(0, { match: match({ addresses: [range('198.51.100.0/24')] }) })] });
    for (let i = 0; i < 20; i++) at.client(hello(`n${i}.example`, i + 1), hello(`n${i}.example`, i + 1));
    expect(at.reported).toHaveLength(16);
  });

  it('that is there passes where only clients without one are denied', () => {
    const denying = { pinsets: [bankWith({ noSni: 'deny' })] };
    expect(new Spoken(denying).client(hello(OTHER))).toEqual(['accept']);
    const nameless = new Spoken(denying);
    expect([nameless.client(hello()), nameless.said]).toEqual([['reject'], ['reset no-sni null']]);
  });

  it.each<[string, Uint8Array[], string]>([
    [
      'of two in one hello',
      [initial(tls.clientHelloMessage({ supportedVersions: [0x0304], extensions: [twoNames()] }))],
      'tls.client-hello.server-name',
    ],
    ['in another message', [initial(Buffer.concat([Buffer.of(2), message(OTHER).subarray(1)]))], 'tls.handshake.order'],
    ['in a hello that is none', [initial(tls.handshake(1, Buffer.alloc(60, 0xff)))], 'tls.client-hello.syntax'],
    [
      'that a second hello changes',
      [initial(Buffer.concat([message(OTHER), message(HOST)]))],
      'tls.client-hello.changed-name',
    ],
  ])('%s is refused', (_, datagrams, fault) => {
    const at = new Spoken();
    expect(at.client(...datagrams).at(-1)).toBe('reject');
    expect(at.reported.at(-1)!.ruling.fault).toBe(fault);
  });

  it('that a second hello repeats passes', () => {
    expect(new Spoken().client(initial(Buffer.concat([message(OTHER), message(OTHER)])))).toEqual(['accept']);
  });
});

function twoNames(): Buffer {
  const named = (name: string) => Buffer.concat([Buffer.of(0), tls.vector16(Buffer.from(name))]);
  return tls.extension(0, tls.vector16(Buffer.concat([named(OTHER), named(HOST)])));
}

describe('while a name is not whole', () => {
  it('its datagrams wait, and go with it', () => {
    const [first, second] = halves(OTHER);
    const at = new Spoken();
    expect(at.client(first, zeroRtt, first)).toEqual(['hold', 'hold', 'hold']);
    expect(at.released).toEqual([]);
    expect(at.client(second)).toEqual(['accept']);
    expect(at.released).toEqual([
      [1, 'accept'],
      [2, 'accept'],
      [3, 'accept'],
    ]);
  });

  it('they wait for their own name, and for no other', () => {
    const at = new Spoken();
    const [first] = halves(OTHER, 1);
    const [other, rest] = halves(HOST, 2);
    expect(at.client(first, other, rest)).toEqual(['hold', 'hold', 'reject']);
    expect(at.released).toEqual([[2, 'reject']]);
  });

  it('what begins no connection does not wait', () => {
    const at = new Spoken();
    expect(at.client(halves(OTHER)[0], SHORT)).toEqual(['hold', 'reject']);
  });

  it('no more wait than may', () => {
    const [first] = halves(OTHER);
    const at = new Spoken(undefined, { limits: { heldPackets: 1 } });
    expect(at.client(first, first)).toEqual(['hold', 'drop']);
    const full = new Spoken();
    full.mayHold = false;
    expect(full.client(first)).toEqual(['drop']);
    expect([at.counted, full.counted]).toEqual([['heldPackets'], ['heldPackets']]);
    // Nobody waits for it, so there is nothing to say of it at the end.
    full.conversation.end();
    expect(full.said).toEqual([]);
  });

  it('they wait no longer than anything does, and count as the worst then', () => {
    const at = new Spoken();
    at.client(halves(OTHER)[0]);
    const due = LIMIT_DEFAULTS.holdTime * 1000;
    expect(at.conversation.deadline()).toBe(due);
    at.conversation.onTime(due - 1);
    expect([at.counted, at.released]).toEqual([[], []]);
    at.conversation.onTime(due);
    expect([at.counted, at.released, at.said]).toEqual([['holdTime'], [[1, 'reject']], ['reset quic quic.incomplete']]);
  });
});

describe('what no name is known of', () => {
  it('is what began ahead of the engine, and said once', () => {
    const at = new Spoken();
    expect(at.client(SHORT, SHORT, zeroRtt)).toEqual(['reject', 'reject', 'reject']);
    expect(at.said).toEqual(['tls-alert midstream null']);
  });

  it('of a capture passes, and nothing is said of a hello that cannot be read', () => {
    const at = new Spoken(undefined, { live: false });
    expect([at.client(SHORT, initial(tls.handshake(2, Buffer.alloc(60)))), at.server(SHORT)]).toEqual([
      ['accept', 'accept'],
      'accept',
    ]);
    at.conversation.end();
    expect(at.said).toEqual([]);
  });
});

describe('a flow', () => {
  const identity = (bench: ConversationBench): FlowIdentity => ({
    id: 7,
    key: 'key',
    clientForward: true,
    subject: bench.host.subject,
    way: { inIfindex: 2, outIfindex: 3, inLink: 0 },
    frame: 9,
  });
  const TEXT = Buffer.from('text');
  const association = (name: string) =>
    dtls.dtlsRecord(22, Buffer.concat(dtls.fragments(dtls.withCookie(tls.clientHelloMessage({ name })), 0)));

  function flow(fields: object = { pinsets: [bank()] }, host: HostFields = {}) {
    const bench = new ConversationBench(fields, host);
    const made = new DatagramFlow(identity(bench), bench.host, 0);
    const client = (data: Uint8Array) => made.onClient(bench.packet(data, true));
    const server = (data: Uint8Array, outIfindex?: number) =>
      made.onServer(bench.packet(data, false, outIfindex === undefined ? {} : { outIfindex }));
    const accepted = (data: Uint8Array) => made.accepted(bench.packet(data, true), true);
    return { bench, made, client, server, accepted };
  }

  it('passes unseen only once it was answered where its client is', () => {
    const { client, server, accepted } = flow({});
    client(TEXT);
    expect(accepted(TEXT)).toBeUndefined();
    server(TEXT, 9);
    expect(accepted(TEXT)).toBeUndefined();
    server(TEXT);
    expect(accepted(TEXT)).toMatchObject({ action: 'accept', reason: 'not-tls' });
  });

  it('passes unseen only where all that it speaks may', () => {
    const { client, server, accepted } = flow({ unpinned: { ...UNPINNED, notTls: 'deny' } });
    client(hello(OTHER));
    server(SHORT);
    expect(accepted(SHORT)).toBeDefined();
    const both = flow({ unpinned: { ...UNPINNED, notTls: 'deny' } });
    expect(both.client(TEXT)).toBe('drop');
    both.client(hello(OTHER));
    both.server(SHORT);
    expect(both.accepted(SHORT)).toBeUndefined();
  });

  it('that speaks neither stays accepted under another configuration, and is asked about again where it was not', () => {
    const open = flow({});
    expect(open.client(TEXT)).toBe('accept');
    open.bench.snapshot = new PinsetSnapshot(policy({ pinsets: [bank()] }));
    open.made.reselect();
    expect(open.client(TEXT)).toBe('accept');
    const pinned = flow();
    expect(pinned.client(TEXT)).toBe('drop');
    pinned.bench.snapshot = new PinsetSnapshot(policy());
    expect(pinned.client(TEXT)).toBe('drop');
    pinned.made.reselect();
    expect(pinned.client(TEXT)).toBe('accept');
  });

  it('of a capture passes, whatever it speaks', () => {
    expect(flow(undefined, { live: false }).client(TEXT)).toBe('accept');
  });

  it('that is empty speaks nothing, whatever lies behind it', () => {
    const { bench, made } = flow();
    const p = bench.packet(Buffer.of(0xc3, 0, 0, 0, 1), true);
    p.udp.dataEnd = p.udp.dataStart;
    expect(made.onClient(p)).toBe('drop');
    expect(bench.reported).toEqual([]);
  });

  it('whose server speaks DTLS first is of no connection', () => {
    const { bench, made, server } = flow();
    expect(server(dtls.dtlsRecord(21, Buffer.of(1, 90)))).toBe('drop');
    made.end();
    expect(bench.reported).toMatchObject([{ kind: 'dtls', ruling: { reason: 'midstream' } }]);
  });

  it('that speaks both gets nothing that one of them refuses', () => {
    const { client, server } = flow();
    client(association(OTHER));
    expect(server(SHORT)).toBe('accept');
    client(hello(HOST));
    expect(server(SHORT)).toBe('drop');
  });

  it('has media beside DTLS, and without it QUIC', () => {
    const media = Buffer.of(0x80, 0x60, ...Buffer.alloc(40));
    const beside = flow();
    beside.client(association(OTHER));
    expect([beside.client(media), beside.client(hello(HOST))]).toEqual(['accept', 'reject']);
    expect(flow().client(media)).toBe('reject');
  });
});

describe('a record', () => {
  const facts = new FlowFacts();
  const shown = new FlowFacts();
  shown.onCertificate([presentCertificate(certificate('leaf'))]);
  const marks = new Marks(CONNMARK_DEFAULTS);
  const also = { value: 0x10, mask: 0x10 };
  const of = (ruling: Partial<Ruling>, more: object = {}) =>
    datagramEvent({
      kind: 'dtls',
      ruling: {
        action: 'accept',
        reason: 'pin-match',
        pinset: 'bank',
        mode: 'enforce',
        evidence: 'observed',
        matched: null,
        connmark: also,
        would: null,
        others: [],
        rules: [],
        fault: null,
        allowedBy: null,
        ...ruling,
      },
      isDecided: true,
      facts,
      proven: true,
      identity: {
        id: 7,
        key: 'key',
        clientForward: true,
        subject: new ConversationBench().host.subject,
        way: { inIfindex: 2, outIfindex: 3, inLink: 0 },
        frame: 9,
      },
      config: 'sha256:00',
      marks,
      time: 1,
      ...more,
    });

  it.each([
    ['that accepts', 'dtls', 'accept', 'accept', marks.accept(also)],
    ['that drops', 'dtls', 'drop', 'drop', null],
    ['that drops QUIC', 'quic', 'drop', 'drop', null],
    ['that would tell both ends, of DTLS', 'dtls', 'tls-alert', 'drop', null],
    ['that would tell both ends, of QUIC', 'quic', 'reset', 'reject', marks.deny(null)],
  ] as const)('%s says what became of it, and which mark was left', (_, kind, action, expected, connmark) => {
    expect(of({ action }, { kind })).toMatchObject({ action: expected, connmark });
    expect(of({ action }, { kind, isDecided: false }).connmark).toBeNull();
    expect(of({ action }, { kind, marks: undefined }).connmark).toBeNull();
  });

  it.each([
    ['none', shown, 'observed'],
    ['none', facts, 'none'],
    ['none', undefined, 'none'],
    ['decrypted', shown, 'decrypted'],
  ] as const)('of evidence %s says what was seen', (evidence, seen, expected) => {
    expect(of({ evidence }, { facts: seen }).evidence).toBe(expected);
  });

  it('says what would have become of it', () => {
    const would = { would: 'tls-alert', others: [{ pinset: 'x', reason: 'pin-mismatch', would: 'reset' }] } as const;
    expect(of(would)).toMatchObject({ would: 'drop', others: [{ would: 'drop' }] });
    expect(of(would, { kind: 'quic' })).toMatchObject({ would: 'reject', others: [{ would: 'reject' }] });
    expect(of({}).would).toBeNull();
  });
});

it('of two verdicts the one that lets less pass is the worse', () => {
  const order = ['drop', 'reject', 'hold', 'accept'] as const;
  for (const [at, first] of order.entries()) {
    for (const second of order.slice(at)) expect([worse(first, second), worse(second, first)]).toEqual([first, first]);
  }
});

it('the client is who sends a datagram of the client’s', () => {
  const bench = new ConversationBench();
  const { client, server } = bench.host.subject;
  expect(datagramSubject(bench.packet(SHORT, true), true)).toEqual({ client, server });
  expect(datagramSubject(bench.packet(SHORT, false), false)).toEqual({ client, server });
});
