/**
 * An attacker who has read the source, between the engine and the server: any segments of genuine and forged flights, in
 * any order and with any trick, while an honest client retransmits and acknowledges what it has. Says at every step what
 * must hold for a pinned flow.
 */
import fc from 'fast-check';

import type { ChainFacts } from '../../src/engine/ports.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd, seqDiff } from '../../src/tcp/sequence.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import { certificate, fixturePath } from './certificates.ts';
import { ACCEPT, bank, FORGED, GENUINE, HOST } from './flows.ts';
import { pin } from './policy.ts';
import * as tls from './tls-bytes.ts';
import { Wire } from './wire.ts';

const { syn, ack, fin, rst, psh } = TCP_FLAG;
const genuineDer = Buffer.from(certificate('leaf'));
const INTER = fixturePath('inter');
const GENUINE_MESSAGE = tls.certificateMessage(GENUINE, INTER);
/** With the genuine certificate behind the forged one it is a forgery all the same. */
const FORGED_CHAINS = [
  [FORGED, INTER],
  [FORGED, GENUINE, INTER],
];
const ISSUER_PIN = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
const FORGERIES = FORGED_CHAINS.map((files) => tls.certificateMessage(...files));

export interface Setting {
  readonly isn: number;
  /** What the pin is on, and so whether the examiner is asked. */
  readonly pinned: 'leaf' | 'issuer';
  readonly signed: boolean;
  readonly recordSize: number;
  readonly prefers: 'first' | 'last';
  readonly action: 'tls-alert' | 'reset' | 'drop';
  /** False: the server's SYN/ACK is still to come. */
  readonly isOpen: boolean;
}

export type Step =
  | {
      readonly kind: 'segment';
      readonly flight: number;
      /** Both in thousandths of the flight, or exact cut points. */
      readonly from: number;
      readonly to: number;
      readonly shift: number;
      readonly trick: (typeof TRICKS)[number];
    }
  | { readonly kind: 'syn-ack'; readonly flight: number; readonly length: number }
  | { readonly kind: 'control'; readonly flags: number; readonly offset: number; readonly data: number }
  | { readonly kind: 'spoof'; readonly what: 'ack' | 'hello' | 'syn' | 'syn-ack' | 'rst' }
  | { readonly kind: 'client'; readonly what: 'ack' | 'hello' | 'finish' | 'syn' }
  | { readonly kind: 'wait'; readonly milliseconds: number }
  | { readonly kind: 'answer' }
  | { readonly kind: 'reload' }
  | { readonly kind: 'restart' };

const TRICKS = [
  'none',
  'none',
  'none',
  'lost',
  'gso',
  'fin',
  'old',
  'new',
  'checksum',
  'urgent',
  'no-ack',
  'rst',
] as const;

export const setting: fc.Arbitrary<Setting> = fc.record({
  isn: fc.constantFrom(1000, 0xfffffff0, 0x7fffff00),
  pinned: fc.constantFrom('leaf', 'issuer'),
  signed: fc.boolean(),
  recordSize: fc.constantFrom(40, 300, 16_000),
  prefers: fc.constantFrom('first', 'last'),
  action: fc.constantFrom('tls-alert', 'tls-alert', 'reset', 'drop'),
  isOpen: fc.constantFrom(true, true, true, false),
});

const place = fc.oneof(
  fc.constantFrom(0, 1, 5, 6, 9, 12),
  fc.constantFrom(-1, -2, -4, -5, -9, -10, -300),
  fc.integer({ min: 0, max: 1000 }).map((thousandths) => thousandths / 1000 + 1e-9),
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('segment'),
      flight: fc.nat(3),
      from: place,
      to: place,
      shift: fc.oneof(
        { weight: 8, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -8, max: 8 }) },
      ),
      trick: fc.constantFrom(...TRICKS),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('control'),
      flags: fc.constantFrom(syn, syn | ack, rst, rst | ack, fin | ack, 0, syn | fin, ack),
      offset: fc.constantFrom(-1, 0, 1, 100),
      data: fc.constantFrom(0, 0, 1, 7),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('spoof'),
      what: fc.constantFrom('ack', 'hello', 'syn', 'syn-ack', 'rst'),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('client'),
      what: fc.constantFrom('ack', 'ack', 'hello', 'finish', 'syn'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant('wait'), milliseconds: fc.constantFrom(1, 31, 500, 3001, 10_001) }),
  },
  { weight: 3, arbitrary: fc.constant<Step>({ kind: 'answer' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'reload' }) },
  { weight: 1, arbitrary: fc.constant<Step>({ kind: 'restart' }) },
);

/** An attacker who contradicts himself in nothing: one flight, in whatever pieces, as often and as late as he likes. */
export const patient: fc.Arbitrary<Step[]> = fc.nat(3).chain((flight) =>
  fc.array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('segment'),
          flight: fc.constant(flight),
          from: place,
          to: place,
          shift: fc.constant(0),
          trick: fc.constantFrom('none', 'none', 'none', 'none', 'lost', 'gso'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ kind: fc.constant('client'), what: fc.constantFrom('ack', 'hello', 'finish') }),
      },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('wait'), milliseconds: fc.constantFrom(1, 31, 500) }) },
      { weight: 1, arbitrary: fc.constant<Step>({ kind: 'answer' }) },
    ),
    { minLength: 5, maxLength: 40, size: 'max' },
  ),
);

/** Plays the steps; throws where something holds no longer. */
export function play(how: Setting, steps: readonly Step[]): void {
  const scene = new Scene(how);
  for (const each of steps) {
    scene.take(each);
    scene.check();
    if (scene.isOver) break;
  }
  scene.end();
}

class Scene {
  readonly #wire: Wire;
  readonly #fields;
  readonly #flights: readonly Buffer[];
  readonly #hello = tls.clientHello(HOST);
  readonly #clientFirst: number;
  readonly #serverFirst: number;
  #asked: { chain: readonly Uint8Array[]; answer: (facts: ChainFacts) => void }[] = [];
  #clientNext: number;
  #isSynAcked: boolean;
  isOver = false;

  constructor(how: Setting) {
    const onMismatch = { action: how.action, connmark: null };
    this.#fields = {
      // A table of few flows is made in no time.
      limits: { ...LIMIT_DEFAULTS, flows: 16 },
      pinsets: [how.pinned === 'leaf' ? bank({ onMismatch }) : bank({ onMismatch, pins: [ISSUER_PIN] })],
    };
    this.#flights = flightsFor(how);
    this.#wire = new Wire(this.#fields, {
      isn: how.isn,
      prefers: how.prefers,
      examiner: { examine: ({ chain }, answer) => void this.#asked.push({ chain, answer }) },
    });
    this.#clientFirst = seqAdd(this.#wire.clientSeq, 1);
    this.#serverFirst = seqAdd(this.#wire.serverSeq, 1);
    if (how.isOpen) {
      this.#wire.open();
    } else {
      this.#wire.fromClient('', { flags: syn });
      this.#wire.atClient.start(this.#serverFirst);
    }
    this.#isSynAcked = how.isOpen;
    this.#clientNext = this.#clientFirst;
  }

  take(each: Step): void {
    switch (each.kind) {
      case 'segment':
        return this.#segment(each);
      case 'syn-ack':
        return this.#synAck(each.flight, each.length);
      case 'control':
        return this.#control(each.flags, each.offset, each.data);
      case 'spoof':
        return this.#spoof(each.what);
      case 'client':
        return this.#client(each.what);
      case 'wait':
        return this.#wire.wait(each.milliseconds);
      case 'answer':
        return this.#answer();
      case 'reload':
        return this.#wire.reload(this.#fields);
      case 'restart':
        this.#asked = [];
        return this.#wire.restart(this.#fields);
      default:
        return each satisfies never;
    }
  }

  check(): void {
    const seen = handshakeOf(this.#wire.atClient.stream);
    if (FORGERIES.some((forgery) => seen.includes(forgery))) throw new Error('the client has a whole forgery');
    const isAccepted = (this.#wire.connmark & 0x60000000) === ACCEPT;
    if (isAccepted && !seen.includes(GENUINE_MESSAGE)) throw new Error('accepted without the genuine certificate');
    this.isOver ||= isAccepted;
  }

  end(): void {
    this.#wire.finish();
    if (this.#wire.engine.heldPackets !== 0) throw new Error(`${this.#wire.engine.heldPackets} are counted as held`);
    for (const { answer } of this.#asked) answer(factsOf([genuineDer]));
    this.check();
  }

  #segment({ flight, from, to, shift, trick }: Extract<Step, { kind: 'segment' }>): void {
    const octets = this.#flights[flight]!;
    const at = (where: number) =>
      Number.isInteger(where) ? (where < 0 ? octets.length + where : where) : Math.floor(where * octets.length);
    const [a, b] = [at(from), at(to)].sort((x, y) => x - y) as [number, number];
    const data = octets.subarray(a, b === a ? a + 1 : b);
    const timestamp = trick === 'old' ? 1 : trick === 'new' ? 1_000_000 : undefined;
    this.#wire.fromServer(data, {
      seq: seqAdd(this.#serverFirst, a + shift),
      ack: this.#clientNext,
      lost: trick === 'lost',
      gso: trick === 'gso',
      badChecksum: trick === 'checksum',
      urgent: trick === 'urgent',
      ...(trick === 'no-ack' ? { flags: psh } : trick === 'fin' ? { flags: fin | ack } : {}),
      ...(trick === 'rst' ? { flags: rst | ack } : {}),
      ...(timestamp === undefined ? {} : { options: timestamps(timestamp) }),
    });
  }

  #synAck(flight: number, length: number): void {
    const data = this.#flights[flight]!.subarray(0, length);
    const seq = seqAdd(this.#serverFirst, -1);
    const answer = this.#wire.fromServer(data, { flags: syn | ack, seq, ack: this.#clientFirst });
    this.#isSynAcked ||= answer.verdict === 'accept';
  }

  #control(flags: number, offset: number, data: number): void {
    this.#wire.fromServer(Buffer.alloc(data, 0x16), {
      flags,
      seq: seqAdd(this.#serverFirst, offset),
      ack: this.#clientNext,
    });
  }

  /** With the client's address, from the servers' side. */
  #spoof(what: Extract<Step, { kind: 'spoof' }>['what']): void {
    const far = { inIfindex: 3, seq: this.#clientNext, ack: seqAdd(this.#serverFirst, 5000) };
    if (what === 'ack') this.#wire.fromClient('', far);
    else if (what === 'hello')
      this.#wire.fromClient(tls.clientHello('other.example'), { ...far, seq: this.#clientFirst });
    else if (what === 'syn') this.#wire.fromClient('', { ...far, flags: syn, seq: 77_000 });
    else if (what === 'rst') this.#wire.fromClient('', { ...far, flags: rst });
    else this.#wire.fromServer('', { flags: syn | ack, seq: 88_000, ack: 77_001 });
  }

  #client(what: Extract<Step, { kind: 'client' }>['what']): void {
    const wire = this.#wire;
    if (wire.atClient.isReset || !this.#isSynAcked) return;
    if (what === 'ack') wire.fromClient('', { seq: this.#clientNext });
    else if (what === 'hello') {
      wire.fromClient(this.#hello, { seq: this.#clientFirst });
      const end = seqAdd(this.#clientFirst, this.#hello.length);
      if (seqDiff(end, this.#clientNext) > 0) this.#clientNext = end;
    } else if (what === 'syn') wire.fromClient('', { flags: syn, seq: seqAdd(this.#clientFirst, -1) });
    else if (wire.atClient.stream.includes(tls.serverHelloDone)) {
      wire.fromClient(tls.clientFinish, { seq: this.#clientNext });
      this.#clientNext = seqAdd(this.#clientNext, tls.clientFinish.length);
    }
  }

  #answer(): void {
    const asked = this.#asked.shift();
    asked?.answer(factsOf(asked.chain));
  }
}

/** The handshake messages that a client gets out of its records, up to the first thing that is no record. */
function handshakeOf(stream: Buffer): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at + 5 <= stream.length;) {
    const type = stream[at]!;
    if (type < 20 || type > 24 || stream[at + 1] !== 3) break;
    const end = at + 5 + stream.readUInt16BE(at + 3);
    if (type === tls.CONTENT.handshake) parts.push(stream.subarray(at + 5, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** What is so: the genuine leaf has its issuer behind it, the forged one has not. */
function factsOf(chain: readonly Uint8Array[]): ChainFacts {
  const isGenuine = Buffer.compare(chain[0]!, genuineDer) === 0;
  return {
    onPath: isGenuine ? chain.map((_, index) => index) : [0],
    anchorsOnPath: [],
    nameMatches: true,
    leafValidAt: true,
    trusted: false,
    exhausted: false,
  };
}

function flightsFor({ signed, recordSize }: Setting): readonly Buffer[] {
  const key = `${signed} ${recordSize}`;
  const known = flights.get(key);
  if (known !== undefined) return known;
  const make = (certificateMessage: Buffer): Buffer => {
    const messages = [
      tls.serverHello(signed ? 0xc02f : 0x009c),
      certificateMessage,
      ...(signed ? [tls.serverKeyExchange()] : []),
      tls.serverHelloDone,
    ];
    return tls.records(22, Buffer.concat(messages), recordSize);
  };
  const forged = FORGERIES.map(make);
  // The last begins with octets that make a warning of an alert put in their place.
  const tricky = Buffer.concat([Buffer.from('1603030200' + '0170', 'hex'), forged[0]!]);
  const made = [make(GENUINE_MESSAGE), ...forged, tricky];
  flights.set(key, made);
  return made;
}

const flights = new Map<string, readonly Buffer[]>();

function timestamps(value: number): Uint8Array {
  const option = Buffer.from([1, 1, 8, 10, 0, 0, 0, 0, 0, 0, 0, 0]);
  option.writeUInt32BE(value, 4);
  return option;
}
