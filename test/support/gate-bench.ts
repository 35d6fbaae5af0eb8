/**
 * A gate alone, with the streams' own reassembly in front of it: what the judge and the readers say of the octets is set by
 * hand, and what becomes of each packet is noted. Packets are named by the stream offsets of their data.
 */
import type { Answers } from '../../src/connection/answers.ts';
import { Gate } from '../../src/connection/gate.ts';
import { HeldPackets } from '../../src/connection/held.ts';
import { FLAG } from '../../src/packet/batch.ts';
import { PacketContext } from '../../src/packet/context.ts';
import { LIMIT_DEFAULTS, type Limits } from '../../src/pins/limits.ts';
import { HalfStream } from '../../src/tcp/half-stream.ts';
import { PagePool } from '../../src/tcp/page-pool.ts';
import type { Inspected } from '../../src/connection/streams.ts';
import { ipv4, tcpSegment, viewIp, viewTcp } from './ip-bytes.ts';

/** What a gate asks of the judge. */
interface Said {
  ruling: { action: 'accept' } | undefined;
  awaitsClient: boolean;
  mayAwaitSecret: boolean;
  mayDeny: boolean;
  waiting: boolean;
}

/** What it asks of the readers; `permitted` counts once somebody has permitted anew. */
interface Read {
  permission: { offset: number };
  permitted: number;
  serverAtBoundary: boolean;
  sealedFrom: number | undefined;
  isPreamble: boolean;
}

export const FIRST_SEQ = 5000;
/** RFC 7323 §3.2, padded. */
export const TIMESTAMPS = [1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2];

/** The server's data segment with the octets [start, end) of its stream. */
export function segmentAt(start: number, end: number, fields: { id?: number; time?: number; gso?: boolean } = {}) {
  const data = Uint8Array.from({ length: end - start }, (_, i) => (start + i) & 0xff);
  const segment = { srcPort: 443, dstPort: 51514, seq: FIRST_SEQ + start, flags: 0x18, options: TIMESTAMPS, data };
  // More lies behind each packet in what the kernel hands over.
  const slab = Buffer.concat([ipv4(tcpSegment(segment)), Buffer.alloc(200, 0xee)]);
  const p = new PacketContext();
  p.ip.parse(slab, 0, slab.length - 200);
  p.tcp.parse(p.ip);
  p.packetId = fields.id ?? 1;
  p.time = fields.time ?? 0;
  p.flags = fields.gso ? FLAG.gso : 0;
  return p;
}

export class GateBench {
  readonly judge: Said = {
    ruling: undefined,
    awaitsClient: false,
    mayAwaitSecret: false,
    mayDeny: true,
    waiting: false,
  };
  readonly read: Read = {
    permission: { offset: 0 },
    permitted: 0,
    serverAtBoundary: false,
    sealedFrom: undefined,
    isPreamble: false,
  };
  /** What became of packets since this was last asked, in order. */
  #log: string[] = [];
  /** Payload and length of the options of what was cut. */
  readonly cut: { payload: Uint8Array; options: number }[] = [];
  readonly released: number[] = [];
  readonly limits: Limits;
  readonly server: HalfStream;
  readonly held: HeldPackets;
  readonly gate: Gate;
  now = 0;
  readonly #names = new Map<number, string>();

  constructor(limits: Partial<Record<keyof Limits, number>> = {}) {
    this.limits = { ...LIMIT_DEFAULTS, ...limits };
    const answers = this.#answers();
    this.server = new HalfStream(FIRST_SEQ, new PagePool(), this.limits);
    this.held = new HeldPackets(answers, () => undefined);
    const { judge, read } = this;
    const inspection = Object.assign(read, { permit: () => this.permit(read.permitted) });
    this.gate = new Gate(answers, this.server, { judge, inspection } as unknown as Inspected, this.held);
  }

  get log(): string[] {
    return this.#log.splice(0);
  }

  permit(offset: number): this {
    this.read.permission.offset = Math.max(this.read.permission.offset, offset);
    return this;
  }

  /** The client speaks, so that from now on the first flight waits. */
  ask(): this {
    this.gate.onClientPacket();
    return this;
  }

  /** A segment of the server's: what is said of it, and of others because of it. */
  send(start: number, end: number, fields: { gso?: boolean } = {}): string[] {
    const p = segmentAt(start, end, { id: this.#names.size + 1, time: this.now, ...fields });
    this.#names.set(p.packetId, `${start}-${end}`);
    this.gate.beforeRead();
    const { tcp } = p;
    const outcome = this.server.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, () => undefined);
    this.gate.onServerPacket(p, start, outcome);
    return this.log;
  }

  acknowledge(offset: number): this {
    this.server.acknowledge(FIRST_SEQ + offset);
    return this;
  }

  #answers(): Answers {
    const note = (what: string) => (id: number) => void this.#log.push(`${what} ${this.#names.get(id)}`);
    return {
      limits: this.limits,
      accept: note('accept'),
      drop: note('drop'),
      replace: (id: number, packet: Uint8Array) => {
        const { dataStart, dataLength } = viewTcp(packet);
        this.cut.push({ payload: packet.subarray(dataStart), options: dataStart - viewIp(packet).transport - 20 });
        note('cut')(id);
        this.#log[this.#log.length - 1] += ` to ${dataLength}`;
      },
      mayHold: () => true,
      onHeld: () => undefined,
      onReleased: (count: number) => void this.released.push(count),
      count: () => undefined,
    } as unknown as Answers;
  }
}
