/** An engine between a client and a server that exchange datagrams: each gets its verdict, and what is let go arrives. */
import { Engine } from '../../src/engine/engine.ts';
import type { FlowEvent, VerdictEvent } from '../../src/judge/events.ts';
import type { EngineOptions } from '../../src/engine/options.ts';
import type { VerdictOptions } from '../../src/packet/source.ts';
import { FIELD, FLAG, NF_ACCEPT } from '../../src/packet/batch.ts';
import { writeIpv4Checksum, writeUdpChecksum } from '../../src/packet/checksum.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { policy } from './policy.ts';

const CLIENT = { address: [10, 1, 2, 3], port: 51514, ifindex: 2 };
const SERVER = { address: [198, 51, 100, 7], port: 443, ifindex: 3 };

export type DatagramAnswer = 'accept' | 'drop' | 'held' | 'emptied';

export interface DatagramFields {
  readonly inIfindex?: number;
  readonly outIfindex?: number;
  /** Who sends it over the link; 0 unless told. */
  readonly inLink?: number;
  readonly badChecksum?: boolean;
  /** What the header says where it does not tell the truth. */
  readonly length?: number;
  readonly clientPort?: number;
  /** Several datagrams that are cut on their way out. */
  readonly isGso?: boolean;
  /** The kernel says nothing of conntrack's mark. */
  readonly hasNoMark?: boolean;
  /** The checksum is for a device to fill in. */
  readonly isChecksumLate?: boolean;
}

export class DatagramWire {
  readonly events: FlowEvent[] = [];
  readonly answers = new Map<number, DatagramAnswer>();
  /** Data that arrived, in order, at each side. */
  readonly atClient: Buffer[] = [];
  readonly atServer: Buffer[] = [];
  /** The time of day, in microseconds. */
  now = 1_700_000_000_000_000;
  connmark = 0;
  engine: Engine;
  readonly #options: Partial<EngineOptions>;
  readonly #sent = new Map<number, { fromClient: boolean; data: Buffer }>();
  #nextId = 1;
  /** The time of day at which the clock that nobody sets began. */
  #began = this.now - 1e9;

  constructor(fields: Partial<Policy> = {}, options: Partial<EngineOptions> = {}) {
    this.#options = options;
    this.engine = this.#newEngine(policy(fields));
  }

  /** The engine's process dies and another begins. */
  restart(fields: Partial<Policy>): void {
    this.engine = this.#newEngine(policy(fields));
  }

  /** Another configuration, with the engine running. */
  reload(fields: Partial<Policy>): void {
    this.engine.replacePolicy(policy(fields));
  }

  get verdicts(): VerdictEvent[] {
    return this.events.filter((event) => event.kind === 'verdict');
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

  /** The engine stops in good order. Every datagram has had its one verdict then. */
  finish(): void {
    this.engine.finish();
    const { received, accepted, dropped } = this.engine.counters;
    if (received !== accepted + dropped) throw new Error(`${received} packets, ${accepted + dropped} verdicts`);
  }

  fromClient(data: Uint8Array, fields: DatagramFields = {}): DatagramAnswer {
    return this.#send(true, data, fields);
  }

  fromServer(data: Uint8Array, fields: DatagramFields = {}): DatagramAnswer {
    return this.#send(false, data, fields);
  }

  #newEngine(rules: Policy): Engine {
    return new Engine({
      policy: rules,
      verdicts: {
        verdict: (id, verdict, options) => this.#answer(id, verdict, options),
        flush: () => undefined,
      },
      events: { emit: (event) => this.events.push(event) },
      clock: { now: () => this.#steady(), wallTime: () => this.now },
      examiner: { examine: () => undefined },
      proves: () => true,
      live: true,
      ...this.#options,
    });
  }

  #send(fromClient: boolean, data: Uint8Array, fields: DatagramFields): DatagramAnswer {
    const [from, to] = fromClient ? [CLIENT, SERVER] : [SERVER, CLIENT];
    const id = this.#nextId++;
    const packet = datagram(fromClient, data, fields);
    this.#sent.set(id, { fromClient, data: Buffer.from(data) });
    this.answers.set(id, 'held');
    const words = new Uint32Array(FIELD.ROW);
    words[FIELD.packetId] = id;
    words[FIELD.length] = packet.length;
    words[FIELD.connmark] = this.connmark;
    words[FIELD.inIfindex] = fields.inIfindex ?? from.ifindex;
    words[FIELD.outIfindex] = fields.outIfindex ?? to.ifindex;
    words[FIELD.inLinkLow] = fields.inLink ?? 0;
    words[FIELD.flags] =
      (fields.hasNoMark ? 0 : FLAG.hasConnmark) |
      (fields.isGso ? FLAG.gso : 0) |
      (fields.isChecksumLate ? FLAG.csumNotReady : 0);
    words[FIELD.timeSeconds] = Math.floor(this.#steady() / 1e6);
    words[FIELD.timeMicros] = this.#steady() % 1e6;
    this.engine.onBatch({ slab: packet, words, count: 1 });
    // The slab is the source's again: whoever kept a view of it sees this.
    packet.fill(0xee);
    return this.answers.get(id)!;
  }

  #answer(id: number, verdict: number, { connmark, payload }: VerdictOptions = {}): void {
    if (this.answers.get(id) !== 'held') throw new Error(`packet ${id} has more than one verdict`);
    const isAccepted = verdict === NF_ACCEPT;
    this.answers.set(id, !isAccepted ? 'drop' : payload === undefined ? 'accept' : 'emptied');
    if (connmark !== undefined) this.connmark = ((this.connmark & ~connmark.mask) | connmark.value) >>> 0;
    const { fromClient, data } = this.#sent.get(id)!;
    if (isAccepted && payload === undefined) (fromClient ? this.atServer : this.atClient).push(data);
  }
}

function datagram(fromClient: boolean, data: Uint8Array, fields: DatagramFields): Buffer {
  const [from, to] = fromClient ? [CLIENT, SERVER] : [SERVER, CLIENT];
  const { clientPort = CLIENT.port } = fields;
  const out = Buffer.alloc(28 + data.length);
  out[0] = 0x45;
  out.writeUInt16BE(out.length, 2);
  out[8] = 64;
  out[9] = 17;
  out.set(from.address, 12);
  out.set(to.address, 16);
  out.writeUInt16BE(fromClient ? clientPort : from.port, 20);
  out.writeUInt16BE(fromClient ? to.port : clientPort, 22);
  out.writeUInt16BE(fields.length ?? 8 + data.length, 24);
  out.set(data, 28);
  writeIpv4Checksum(out, 0, 20);
  writeUdpChecksum(out, 12, 4, 20);
  if (fields.badChecksum) out[26]! ^= 0xff;
  return out;
}
