/**
 * An engine between a client and a server that exist only as packets: each segment gets its verdict, and what is let go
 * arrives at a receiver that reassembles as TCP does. Literal bytes in, what each side got out.
 */
import { NF_ACCEPT, FIELD, FLAG, type PacketBatch } from '../../src/packet/batch.ts';
import { writeIpv4Checksum, writeTcpChecksum } from '../../src/packet/checksum.ts';
import { IpView } from '../../src/packet/ip.ts';
import { TCP_FLAG, TcpView } from '../../src/packet/tcp.ts';
import { Engine, type EngineMemory } from '../../src/engine/engine.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { FlowEvent, VerdictEvent } from '../../src/judge/events.ts';
import type { VerdictOptions } from '../../src/packet/source.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { seqAdd, seqDiff } from '../../src/tcp/sequence.ts';
import { chainFacts } from './chain-facts.ts';
import { policy } from './policy.ts';

export interface Answer {
  readonly verdict: 'accept' | 'drop' | 'held';
  readonly connmark: number | undefined;
  readonly payload: Uint8Array | undefined;
}

export interface SegmentFields {
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly inIfindex?: number;
  /** Who sends it over the link; 0 unless told. */
  readonly inLink?: number;
  readonly gso?: boolean;
  readonly options?: Uint8Array;
  readonly badChecksum?: boolean;
  readonly urgent?: boolean;
  /** Let go by the engine, it never arrives: its hop limit ends on the way. */
  readonly lost?: boolean;
  /** Further bits of `FIELD.flags`. */
  readonly packetFlags?: number;
  /** Of conntrack, with its direction. */
  readonly ctid?: number;
}

export interface WireOptions extends Partial<EngineOptions> {
  /** Both ends are behind one interface, and have these addresses on its link. */
  readonly oneArm?: { readonly client: number; readonly server: number };
  /** The client's initial sequence number. */
  readonly isn?: number;
  /** Which of two copies the client's TCP keeps where they overlap. */
  readonly prefers?: 'first' | 'last';
}

const CLIENT = { address: [10, 1, 2, 3], port: 51514, ifindex: 2 };
const SERVER = { address: [198, 51, 100, 7], port: 443, ifindex: 3 };
const { syn, ack, psh } = TCP_FLAG;

export class Wire {
  readonly events: FlowEvent[] = [];
  readonly answers = new Map<number, Answer>();
  /** What arrived, in order, at each side; and the flags of each segment that did. */
  readonly atClient: Receiver;
  readonly atServer = new Receiver();
  /** The time of day, in microseconds. */
  now = 1_700_000_000_000_000;
  connmark = 0;
  engine: Engine;
  clientSeq: number;
  serverSeq: number;
  /** The server's last segment. */
  lastOfServer: Uint8Array = new Uint8Array(0);
  lastSeqOfServer = 0;
  #nextId = 1;
  /** The time of day at which the clock that nobody sets began. */
  #began = this.now - 1e9;
  #generation = 0;
  readonly #sent = new Map<number, { fromClient: boolean; packet: Uint8Array; lost: boolean }>();
  readonly #options: WireOptions;

  constructor(fields: Partial<Policy> = {}, options: WireOptions = {}) {
    this.atClient = new Receiver(options.prefers);
    this.clientSeq = options.isn ?? 1000;
    this.serverSeq = options.isn === undefined ? 5000 : seqAdd(options.isn, 77);
    this.#options = options;
    this.engine = this.#newEngine(policy(fields));
  }

  /** The engine's process dies and another begins; the kernel drops what was held. */
  restart(fields: Partial<Policy>): void {
    for (const [id, answer] of this.answers) {
      if (answer.verdict === 'held') this.answers.set(id, { ...answer, verdict: 'drop' });
    }
    this.engine = this.#newEngine(policy(fields));
  }

  /** Another engine takes over: what this one remembers goes along, as text. */
  takeOver(fields: Partial<Policy>): void {
    const memory = JSON.parse(JSON.stringify(this.engine.keep())) as EngineMemory;
    this.engine.finish();
    this.engine = this.#newEngine(policy(fields));
    this.engine.restore(memory);
  }

  /** Another configuration, with the engine running. */
  reload(fields: Partial<Policy>): void {
    this.engine.replacePolicy(policy(fields));
  }

  /** The engine stops in good order. Every packet has had its one verdict then. */
  finish(): void {
    this.engine.finish();
    if (this.held > 0) throw new Error(`${this.held} packets never had a verdict`);
    const { received, accepted, dropped } = this.engine.counters;
    if (received !== accepted + dropped) throw new Error(`${received} packets, ${accepted + dropped} verdicts`);
  }

  /** Packets so far; their ids count from 1. */
  get packets(): number {
    return this.#nextId - 1;
  }

  /** Packets that wait for a verdict now. */
  get held(): number {
    return [...this.answers.values()].filter(({ verdict }) => verdict === 'held').length;
  }

  /** SYN, SYN/ACK, ACK. */
  open(): this {
    this.fromClient('', { flags: syn });
    this.clientSeq = seqAdd(this.clientSeq, 1);
    this.fromServer('', { flags: syn | ack });
    this.serverSeq = seqAdd(this.serverSeq, 1);
    this.atServer.start(this.clientSeq);
    this.atClient.start(this.serverSeq);
    this.fromClient('');
    return this;
  }

  /** A segment of the client's; without `seq` the next one, and its numbers move on. */
  fromClient(data: Uint8Array | string, fields: SegmentFields = {}): Answer {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    const answer = this.#send(true, bytes, { seq: this.clientSeq, ack: this.serverSeqSeen, ...fields });
    if (fields.seq === undefined) this.clientSeq = seqAdd(this.clientSeq, bytes.length);
    return answer;
  }

  fromServer(data: Uint8Array | string, fields: SegmentFields = {}): Answer {
    const bytes = typeof data === 'string' ? Buffer.from(data, 'latin1') : data;
    this.lastOfServer = bytes;
    this.lastSeqOfServer = fields.seq ?? this.serverSeq;
    const answer = this.#send(false, bytes, { seq: this.serverSeq, ack: this.clientSeq, ...fields });
    if (fields.seq === undefined) this.serverSeq = seqAdd(this.serverSeq, bytes.length);
    return answer;
  }

  /** What the client acknowledges: everything that arrived in order. */
  get serverSeqSeen(): number {
    return this.atClient.next ?? this.serverSeq;
  }

  wait(milliseconds: number): void {
    this.now += milliseconds * 1000;
    this.engine.tick();
  }

  /** Somebody sets the time of day. */
  setTimeOfDay(byMilliseconds: number): void {
    this.now += byMilliseconds * 1000;
    this.#began += byMilliseconds * 1000;
  }

  #steady(): number {
    return this.now - this.#began;
  }

  get verdicts(): VerdictEvent[] {
    return this.events.filter((event) => event.kind === 'verdict');
  }

  #newEngine(rules: Policy): Engine {
    const generation = ++this.#generation;
    return new Engine({
      policy: rules,
      verdicts: {
        verdict: (id, verdict, options) => {
          if (generation === this.#generation) this.#answer(id, verdict, options);
        },
        flush: () => undefined,
      },
      events: { emit: (event) => this.events.push(event) },
      clock: { now: () => this.#steady(), wallTime: () => this.now },
      examiner: { examine: (_request, done) => done(NO_FACTS) },
      proves: () => true,
      live: true,
      ...this.#options,
    });
  }

  #send(fromClient: boolean, data: Uint8Array, fields: SegmentFields): Answer {
    const packet = segment(fromClient, data, fields);
    const id = this.#nextId++;
    this.#sent.set(id, { fromClient, packet, lost: fields.lost ?? false });
    this.answers.set(id, { verdict: 'held', connmark: undefined, payload: undefined });
    const words = new Uint32Array(FIELD.ROW);
    words[FIELD.packetId] = id;
    words[FIELD.length] = packet.length;
    words[FIELD.connmark] = this.connmark;
    const { oneArm } = this.#options;
    const link = fields.inLink ?? oneArm?.[fromClient ? 'client' : 'server'] ?? 0;
    words[FIELD.inIfindex] = fields.inIfindex ?? (fromClient || oneArm ? CLIENT : SERVER).ifindex;
    words[FIELD.outIfindex] = (fromClient && !oneArm ? SERVER : CLIENT).ifindex;
    words[FIELD.inLinkHigh] = Math.floor(link / 2 ** 32);
    words[FIELD.inLinkLow] = link;
    words[FIELD.flags] = FLAG.hasConnmark | (fields.gso ? FLAG.gso : 0) | (fields.packetFlags ?? 0);
    words[FIELD.ctid] = fields.ctid ?? 0;
    words[FIELD.timeSeconds] = Math.floor(this.#steady() / 1e6);
    words[FIELD.timeMicros] = this.#steady() % 1e6;
    const batch: PacketBatch = { slab: Buffer.from(packet), words, count: 1 };
    this.engine.onBatch(batch);
    // The slab is the source's again: whoever kept a view of it sees this.
    batch.slab.fill(0xee);
    return this.answers.get(id)!;
  }

  #answer(id: number, verdict: number, options?: VerdictOptions): void {
    const known = this.answers.get(id);
    if (known?.verdict !== 'held') throw new Error(`packet ${id} has more than one verdict`);
    const { connmark, payload } = options ?? {};
    this.answers.set(id, { verdict: verdict === NF_ACCEPT ? 'accept' : 'drop', connmark: connmark?.value, payload });
    if (connmark !== undefined) this.connmark = ((this.connmark & ~connmark.mask) | connmark.value) >>> 0;
    if (verdict !== NF_ACCEPT) return;
    const { fromClient, packet, lost } = this.#sent.get(id)!;
    if (lost) return;
    (fromClient ? this.atServer : this.atClient).receive(payload ?? packet);
  }
}

/**
 * RFC 9293 §3.10.7.4, as far as a test needs it: octets in order, and the flags. Of two copies it keeps the one that came
 * first or the last, as TCPs differ; what is in the stream already stays.
 */
export class Receiver {
  next: number | undefined;
  /** A reset arrived that the receiver takes (RFC 5961 §3.2: exactly at RCV.NXT). */
  isReset = false;
  readonly flags: number[] = [];
  #octets = new Map<number, number>();
  #stream: number[] = [];
  #first = 0;
  /** Octets of sequence space that an end in order takes. */
  #fin = 0;
  readonly #prefers: 'first' | 'last';

  constructor(prefers: 'first' | 'last' = 'first') {
    this.#prefers = prefers;
  }

  start(next: number): void {
    this.next = next;
    this.#first = next;
  }

  get stream(): Buffer {
    return Buffer.from(this.#stream);
  }

  receive(packet: Uint8Array): void {
    const ip = new IpView();
    const tcp = new TcpView();
    ip.parse(packet, 0, packet.length);
    tcp.parse(ip);
    this.flags.push(tcp.flags);
    if (this.next === undefined || this.isReset) return;
    if (tcp.has(TCP_FLAG.rst)) this.isReset = tcp.seq === this.next;
    const offset = seqDiff(tcp.seq, this.#first) + (tcp.has(TCP_FLAG.syn) ? 1 : 0);
    for (let i = 0; i < tcp.dataLength; i++) {
      const at = offset + i;
      if (at < this.#stream.length || (this.#prefers === 'first' && this.#octets.has(at))) continue;
      this.#octets.set(at, packet[tcp.dataStart + i]!);
    }
    for (let at = this.#stream.length; this.#octets.has(at); at++) this.#stream.push(this.#octets.get(at)!);
    if (tcp.has(TCP_FLAG.fin) && offset + tcp.dataLength === this.#stream.length) this.#fin = 1;
    this.next = seqAdd(this.#first, this.#stream.length + this.#fin);
  }
}

function segment(fromClient: boolean, data: Uint8Array, fields: SegmentFields): Uint8Array {
  const [from, to] = fromClient ? [CLIENT, SERVER] : [SERVER, CLIENT];
  const options = fields.options ?? new Uint8Array(0);
  const out = Buffer.alloc(40 + options.length + data.length);
  out[0] = 0x45;
  out.writeUInt16BE(out.length, 2);
  out[8] = 64;
  out[9] = 6;
  out.set(from.address, 12);
  out.set(to.address, 16);
  out.writeUInt16BE(from.port, 20);
  out.writeUInt16BE(to.port, 22);
  out.writeUInt32BE(fields.seq!, 24);
  out.writeUInt32BE(fields.ack!, 28);
  out[32] = (5 + options.length / 4) << 4;
  out[33] = (fields.flags ?? (data.length > 0 ? psh | ack : ack)) | (fields.urgent ? TCP_FLAG.urg : 0);
  out.writeUInt16BE(0xffff, 34);
  out.set(options, 40);
  out.set(data, 40 + options.length);
  writeIpv4Checksum(out, 0, 20);
  writeTcpChecksum(out, 12, 4, 20);
  if (fields.badChecksum) out[36]! ^= 0xff;
  return out;
}

const NO_FACTS = chainFacts({ nameMatches: false });
