/**
 * An attacker who has read the source, between the engine and the server: any segments of genuine and forged flights, in
 * any order and with any trick, while an honest client retransmits and acknowledges what it has. Says at every step what
 * must hold for a pinned flow.
 */
import type { ChainFacts } from '../../src/judge/ports.ts';
import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import { seqAdd, seqDiff } from '../../src/tcp/sequence.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import type { Setting, Step } from './attack-steps.ts';
import { certificate, fixturePath } from './certificates.ts';
import { ACCEPT, bank, FORGED, GENUINE, HOST } from './flows.ts';
import { pin } from './policy.ts';
import * as tls from './tls-bytes.ts';
import { Wire } from './wire.ts';

const { syn, ack, fin, rst, psh } = TCP_FLAG;
const genuineDer = Buffer.from(certificate('leaf'));
const INTER = fixturePath('inter');
const GENUINE_MESSAGE = tls.certificateMessage(GENUINE, INTER);
/** Where the message begins: what comes behind the leaf may be anything. */
const GENUINE_LEAF = tls.vector24(genuineDer);
/** With the genuine certificate behind the forged one it is a forgery all the same. */
const FORGED_CHAINS = [
  [FORGED, INTER],
  [FORGED, GENUINE, INTER],
];
const ISSUER_PIN = pin('spki-sha256', presentCertificate(certificate('inter')).spkiSha256!);
/** The Certificate messages that no client may have. */
const FORGERIES = FORGED_CHAINS.map((files) => tls.certificateMessage(...files));

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
  readonly #hello: Buffer;
  readonly #clientFirst: number;
  readonly #serverFirst: number;
  #asked: { chain: readonly Uint8Array[]; answer: (facts: ChainFacts) => void }[] = [];
  #clientNext: number;
  #isSynAcked: boolean;
  #isRestarted = false;
  /** Segments whose verdict is still to be looked at, and the octets of those that passed. */
  readonly #underWay = new Map<number, { offset: number; data: Uint8Array }>();
  readonly #values = new Map<number, number>();
  #acked = 0;
  isOver = false;

  constructor(how: Setting) {
    const onMismatch = { action: how.action, connmark: null };
    this.#fields = {
      // A table of few flows is made in no time.
      limits: { ...LIMIT_DEFAULTS, flows: 16 },
      pinsets: [how.pinned === 'leaf' ? bank({ onMismatch }) : bank({ onMismatch, pins: [ISSUER_PIN] })],
    };
    this.#hello = tls.clientHello({ name: HOST, ech: how.offersEch });
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
        this.#isRestarted = true;
        return this.#wire.restart(this.#fields);
      default:
        return each satisfies never;
    }
  }

  check(): void {
    this.#checkValues();
    const seen = handshakeOf(this.#wire.atClient.stream);
    if (hasForgery(this.#wire.atClient.stream)) throw new Error('the client has a whole forgery');
    const isAccepted = (this.#wire.connmark & 0x3000000) === ACCEPT;
    if (isAccepted && !seen.includes(GENUINE_LEAF)) throw new Error('accepted without the genuine certificate');
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
    const offset = a + shift;
    this.#underWay.set(this.#wire.packets + 1, { offset, data });
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
    this.#acked = Math.max(this.#acked, seqDiff(wire.atClient.next ?? this.#serverFirst, this.#serverFirst));
    if (what === 'ack') wire.fromClient('', { seq: this.#clientNext });
    else if (what === 'hello') this.#sayHello(0, this.#hello.length);
    else if (what === 'head') this.#sayHello(0, 50);
    else if (what === 'tail') this.#sayHello(50, this.#hello.length);
    else if (what === 'syn') {
      // Of a SYN that the network kept while the engine began anew nobody could tell that it is no new connection's.
      if (!this.#isRestarted) wire.fromClient('', { flags: syn, seq: seqAdd(this.#clientFirst, -1) });
    } else if (wire.atClient.stream.includes(tls.serverHelloDone)) {
      wire.fromClient(tls.clientFinish, { seq: this.#clientNext });
      this.#clientNext = seqAdd(this.#clientNext, tls.clientFinish.length);
    }
  }

  #sayHello(from: number, to: number): void {
    this.#wire.fromClient(this.#hello.subarray(from, to), { seq: seqAdd(this.#clientFirst, from) });
    const end = seqAdd(this.#clientFirst, to);
    if (seqDiff(end, this.#clientNext) > 0) this.#clientNext = end;
  }

  /** One value for each octet that was let go, until the client has acknowledged it or a decision has fallen. */
  #checkValues(): void {
    const { verdicts, answers } = this.#wire;
    for (const [id, { offset, data }] of this.#underWay) {
      const { verdict, payload } = answers.get(id)!;
      if (verdict === 'held') continue;
      this.#underWay.delete(id);
      if (verdict === 'drop' || payload !== undefined || verdicts.length > 0) continue;
      data.forEach((octet, i) => {
        const known = this.#values.get(offset + i);
        if (offset + i >= this.#acked && known !== undefined && known !== octet) throw new Error('two values let go');
        this.#values.set(offset + i, octet);
      });
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

/** Whether it gets the whole of a forgery for a message: in the midst of another one its octets are nobody's Certificate. */
export function hasForgery(stream: Buffer): boolean {
  const octets = handshakeOf(stream);
  for (let at = 0; at + 4 <= octets.length; at += 4 + octets.readUIntBE(at + 1, 3)) {
    const message = octets.subarray(at, at + 4 + octets.readUIntBE(at + 1, 3));
    if (FORGERIES.some((forgery) => forgery.equals(message))) return true;
  }
  return false;
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

/** The genuine flight, forged ones, and one that begins with octets which are tricky for whoever reads the rest. */
export function flightsFor({ signed, recordSize }: Pick<Setting, 'signed' | 'recordSize'>): readonly Buffer[] {
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
