/**
 * Clients of QUIC that do as RFC 9000 says, and whoever answers in their server's place with Retries, Version Negotiations
 * and anything else, at any time: a pinned name never leaves, and another one always does in the end.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { QUIC_V1, QUIC_V2 } from '../../src/quic/version.ts';
import { type DatagramAnswer, DatagramWire } from '../support/datagram-wire.ts';
import { bank, HOST } from '../support/flows.ts';
import { cryptoFrame, initialPacket, longPacket, retryPacket } from '../support/quic-bytes.ts';
import * as tls from '../support/tls-bytes.ts';

const OTHER = 'www.else.example';

interface Script {
  readonly name: typeof HOST | typeof OTHER;
  /** How the hello lies in datagrams. */
  readonly cut: 'whole' | 'halves' | 'reversed' | 'coalesced';
}

type Move =
  | { readonly move: 'client'; readonly which: number; readonly sends: 'again' | 'early data' | 'short' }
  | { readonly move: 'server'; readonly which: number; readonly answer: Answer }
  | { readonly move: 'wait'; readonly milliseconds: number }
  | { readonly move: 'reload' }
  | { readonly move: 'restart' };

const ANSWERS = ['retry', 'negotiation', 'negotiation of nothing known', 'initial', 'handshake', 'short'] as const;
type Answer = (typeof ANSWERS)[number];

const script: fc.Arbitrary<Script> = fc.record({
  name: fc.constantFrom(HOST, OTHER),
  cut: fc.constantFrom('whole', 'halves', 'reversed', 'coalesced'),
});
const which = fc.nat(2);
const move: fc.Arbitrary<Move> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      move: fc.constant('client' as const),
      which,
      sends: fc.constantFrom('again', 'again', 'early data', 'short'),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ move: fc.constant('server' as const), which, answer: fc.constantFrom(...ANSWERS) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ move: fc.constant('wait' as const), milliseconds: fc.constantFrom(200, 3100, 61_000) }),
  },
  { weight: 1, arbitrary: fc.constantFrom<Move[]>({ move: 'reload' }, { move: 'restart' }) },
);
const scripts = fc.array(script, { minLength: 1, maxLength: 3 });
const moves = fc.array(move, { maxLength: 12 });

/** RFC 9000 §6.2 and §17.2.5.2: it takes one Version Negotiation or one Retry, and neither behind anything else. */
class QuicClient {
  readonly script: Script;
  readonly #id: number;
  #version = QUIC_V1;
  #dcid: Buffer;
  #token = Buffer.alloc(0);
  #packetNumber = 0;
  #isAnswered = false;

  constructor(id: number, script: Script) {
    this.#id = id;
    this.script = script;
    this.#dcid = Buffer.from(`begins-${id}`);
  }

  /** The datagrams of its hello. */
  says(): Buffer[] {
    const { name, cut } = this.script;
    const hello = tls.clientHelloMessage({ name, supportedVersions: [0x0304] });
    const [head, rest] = [cryptoFrame(0, hello.subarray(0, 50)), cryptoFrame(50, hello.subarray(50))];
    if (cut === 'whole') return [this.#initial(cryptoFrame(0, hello), 1100)];
    if (cut === 'coalesced') return [Buffer.concat([this.#initial(head, 0), this.#initial(rest, 1000)])];
    const both = [this.#initial(head, 1100), this.#initial(rest, 1100)];
    return cut === 'reversed' ? both.reverse() : both;
  }

  earlyData(): Buffer {
    return longPacket(0x10, this.#version, Buffer.of(0x40, 40, ...Buffer.alloc(40)), this.#dcid);
  }

  /** What it says to that, if anything. */
  hear(answer: Answer, scid: Buffer): Buffer[] {
    const isFirst = !this.#isAnswered;
    this.#isAnswered = true;
    if (!isFirst || (answer !== 'retry' && answer !== 'negotiation')) return [];
    if (answer === 'retry') [this.#dcid, this.#token] = [scid, Buffer.from('token')];
    else [this.#version, this.#dcid] = [QUIC_V2, Buffer.from(`second-${this.#id}`)];
    return this.says();
  }

  answered(answer: Answer, scid: Buffer): Buffer {
    const rest = Buffer.of(0x40, 40, ...Buffer.alloc(40));
    switch (answer) {
      case 'retry':
        return retryPacket(scid);
      case 'negotiation':
      case 'negotiation of nothing known':
        return longPacket(0, 0, Buffer.from(answer === 'negotiation' ? '6b3343cf' : '1a2a3a4a', 'hex'), this.#dcid);
      case 'initial':
        return initialPacket(cryptoFrame(0, tls.serverHello13), { from: 'server', originalDcid: this.#dcid });
      case 'handshake':
        return longPacket(0x20, this.#version, rest);
      case 'short':
        return Buffer.alloc(60, 0x45);
      default:
        return answer satisfies never;
    }
  }

  #initial(frames: Buffer, padTo: number): Buffer {
    const packetNumber = this.#packetNumber++;
    return initialPacket(frames, { version: this.#version, dcid: this.#dcid, token: this.#token, packetNumber, padTo });
  }
}

/** The datagrams of hellos of each name's that came to the server, and what became of those that were sent at the end. */
function play(scripts: readonly Script[], moves: readonly Move[], pinsets = [bank()]) {
  const wire = new DatagramWire({ pinsets });
  const clients = scripts.map((each, id) => new QuicClient(id, each));
  const named = new Map<string, Set<string>>(clients.map(({ script: { name } }) => [name, new Set()]));
  const say = (client: QuicClient, datagrams: readonly Buffer[]): DatagramAnswer[] => {
    for (const datagram of datagrams) named.get(client.script.name)!.add(datagram.toString('hex'));
    return datagrams.map((datagram) => wire.fromClient(datagram));
  };
  for (const client of clients) say(client, client.says());
  moves.forEach((each, at) => {
    if (each.move === 'wait') return wire.wait(each.milliseconds);
    if (each.move === 'reload') return wire.reload({ pinsets });
    if (each.move === 'restart') return wire.restart({ pinsets });
    const client = clients[each.which % clients.length]!;
    if (each.move === 'client') {
      if (each.sends === 'again') say(client, client.says());
      else wire.fromClient(each.sends === 'short' ? Buffer.alloc(60, 0x45) : client.earlyData());
      return;
    }
    const scid = Buffer.from(`retry-${at}`);
    if (wire.fromServer(client.answered(each.answer, scid)) === 'accept') say(client, client.hear(each.answer, scid));
  });
  const last = clients.map((client) => ({ name: client.script.name, answers: say(client, client.says()) }));
  const left = (name: string) => wire.atServer.filter((octets) => named.get(name)?.has(octets.toString('hex')));
  return { last, left, wire };
}

describe('whatever answers clients of QUIC', () => {
  it('no datagram with a pinned name leaves', () => {
    fc.assert(
      fc.property(scripts, moves, (each, then) => {
        const { left, wire } = play(each, then);
        expect(left(HOST)).toEqual([]);
        wire.finish();
      }),
      { numRuns: 100 },
    );
  });

  it('another name leaves', () => {
    fc.assert(
      fc.property(scripts, moves, (each, then) => {
        const others = play(each, then).last.filter(({ name }) => name === OTHER);
        // What waited went with the datagram that completed it.
        for (const { answers } of others) expect(answers.at(-1)).toBe('accept');
      }),
      { numRuns: 100 },
    );
  });

  it('pinned names leave where nothing is pinned, after Retries and Version Negotiations too', () => {
    const taken = (answer: Answer) =>
      play([{ name: HOST, cut: 'whole' }], [{ move: 'server', which: 0, answer }], []).left(HOST).length;
    expect(ANSWERS.map(taken)).toEqual([3, 3, 2, 2, 2, 2]);
  });
});
