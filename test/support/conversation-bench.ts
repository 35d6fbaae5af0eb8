/** A conversation over datagrams by itself: what it asks of its host is set by hand, and what it tells it is noted. */
import type { ConversationHost, Told } from '../../src/datagram/conversation.ts';
import type { HeldDatagram } from '../../src/datagram/packet.ts';
import type { Ruling } from '../../src/judge/ruling.ts';
import { FLAG } from '../../src/packet/batch.ts';
import { PacketContext } from '../../src/packet/context.ts';
import type { ChainExaminer } from '../../src/judge/ports.ts';
import { LIMIT_DEFAULTS, type Limits } from '../../src/pins/limits.ts';
import { PinsetSnapshot } from '../../src/pins/match/snapshot.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { chainFacts } from './chain-facts.ts';
import { ipv4 } from './ip-bytes.ts';
import { policy } from './policy.ts';

const CLIENT = { address: [10, 1, 2, 3], port: 51_514, ifindex: 2 };
const SERVER = { address: [198, 51, 100, 7], port: 443, ifindex: 3 };

export interface HostFields {
  readonly live?: boolean;
  readonly limits?: Partial<Record<keyof Limits, number>>;
  readonly examiner?: ChainExaminer;
}

export class ConversationBench {
  snapshot: PinsetSnapshot;
  readonly host: ConversationHost;
  clock = 0;
  mayHold = true;
  readonly counted: string[] = [];
  readonly released: [number, string][] = [];
  readonly reported: Told[] = [];
  readonly continued: Ruling[] = [];
  #nextId = 1;

  constructor(fields: Partial<Policy> = {}, { live = true, limits = {}, examiner = AT_ONCE }: HostFields = {}) {
    this.snapshot = new PinsetSnapshot(policy({ limits: { ...LIMIT_DEFAULTS, ...limits }, ...fields }));
    const snapshot = () => this.snapshot;
    this.host = {
      live,
      get snapshot() {
        return snapshot();
      },
      limits: { ...LIMIT_DEFAULTS, ...limits },
      subject: {
        client: { address: Uint8Array.from(CLIENT.address), port: CLIENT.port },
        server: { address: Uint8Array.from(SERVER.address), port: SERVER.port },
      },
      examiner,
      proves: () => true,
      now: () => this.clock,
      dateMs: () => 1_700_000_000_000,
      count: (limit) => this.counted.push(limit),
      mayHold: () => this.mayHold,
      release: ({ packetId }: HeldDatagram, verdict) => this.released.push([packetId, verdict]),
      report: (told) => this.reported.push(told),
      onContinued: (ruling) => this.continued.push(ruling),
    };
  }

  /** A datagram; its ids count from 1. */
  packet(data: Uint8Array, fromClient: boolean, fields: { gso?: boolean; outIfindex?: number } = {}): PacketContext {
    const [from, to] = fromClient ? [CLIENT, SERVER] : [SERVER, CLIENT];
    const udp = Buffer.alloc(8 + data.length);
    udp.writeUInt16BE(from.port, 0);
    udp.writeUInt16BE(to.port, 2);
    udp.writeUInt16BE(udp.length, 4);
    udp.set(data, 8);
    const of = { protocol: 17, source: from.address.join('.'), destination: to.address.join('.') };
    const bytes = ipv4(udp, of);
    const p = new PacketContext();
    p.ip.parse(bytes, 0, bytes.length);
    p.udp.parse(p.ip);
    p.packetId = this.#nextId++;
    p.flags = fields.gso ? FLAG.gso : 0;
    p.inIfindex = from.ifindex;
    p.outIfindex = fields.outIfindex ?? to.ifindex;
    p.time = this.clock;
    return p;
  }
}

const AT_ONCE: ChainExaminer = { examine: (_request, done) => done(chainFacts()) };
