/** An engine and very many clients of one server, each a port of one host: segments by the offsets of their octets. */
import { Engine } from '../../src/engine/engine.ts';
import type { FlowEvent, VerdictEvent } from '../../src/judge/events.ts';
import { FIELD, FLAG, NF_ACCEPT } from '../../src/packet/batch.ts';
import { TCP_FLAG } from '../../src/packet/tcp.ts';
import type { Policy } from '../../src/pins/policy.ts';
import { chainFacts } from './chain-facts.ts';
import { ipv4, tcpSegment, viewTcp } from './ip-bytes.ts';
import { policy } from './policy.ts';

export interface Place {
  /** Octets ahead of the stream's first; without it the next ones. */
  readonly at?: number;
  /** Octets of the other side's that it acknowledges; without it none. */
  readonly acknowledges?: number;
  /** Which of many servers; without it the one. */
  readonly to?: number;
}

export class ManyWires {
  readonly engine: Engine;
  readonly events: FlowEvent[] = [];
  /** TCP flags of what the last packet became that was let go. */
  lastFlags: number | undefined;
  now = 1e12;
  readonly #marks = new Map<number, number>();
  readonly #next = { client: new Map<number, number>(), server: new Map<number, number>() };
  #client = 0;
  #packet: Buffer = Buffer.alloc(0);
  #answer: 'accept' | 'drop' | 'held' = 'held';

  constructor(fields: Partial<Policy>) {
    this.engine = new Engine({
      policy: policy(fields),
      verdicts: {
        verdict: (_id, verdict, { connmark, payload } = {}) => {
          this.#answer = verdict === NF_ACCEPT ? 'accept' : 'drop';
          if (connmark !== undefined) {
            this.#marks.set(this.#client, (this.markOf(this.#client) & ~connmark.mask) | connmark.value);
          }
          if (verdict === NF_ACCEPT) this.lastFlags = viewTcp(payload ?? this.#packet).flags;
        },
        flush: () => {},
      },
      events: { emit: (event) => this.events.push(event) },
      clock: { now: () => this.now, wallTime: () => this.now },
      examiner: { examine: (_request, done) => done(chainFacts({ nameMatches: false })) },
      proves: () => true,
      live: true,
    });
  }

  static portOf(client: number): number {
    return 1_024 + client;
  }

  get verdicts(): VerdictEvent[] {
    return this.events.filter((event) => event.kind === 'verdict');
  }

  markOf(client: number): number {
    return this.#marks.get(client) ?? 0;
  }

  /** SYN, SYN/ACK, ACK. */
  open(client: number): void {
    const { syn, ack } = TCP_FLAG;
    this.#send(client, true, '', { at: -1 }, syn);
    this.#send(client, false, '', { at: -1 }, syn | ack);
    this.#send(client, true, '', {}, ack);
  }

  fromClient(client: number, data: Uint8Array | string, place: Place = {}): 'accept' | 'drop' | 'held' {
    return this.#send(client, true, data, place, TCP_FLAG.ack);
  }

  fromServer(client: number, data: Uint8Array | string, place: Place = {}): 'accept' | 'drop' | 'held' {
    return this.#send(client, false, data, place, TCP_FLAG.ack);
  }

  /** The client gives it up. */
  reset(client: number): void {
    this.#send(client, true, '', {}, TCP_FLAG.rst | TCP_FLAG.ack);
  }

  /** The client's SYN of another connection from the same port; the server answers it. */
  syn(client: number, at: number): 'accept' | 'drop' | 'held' {
    return this.#send(client, true, '', { at }, TCP_FLAG.syn);
  }

  synAck(client: number, at: number): 'accept' | 'drop' | 'held' {
    return this.#send(client, false, '', { at, acknowledges: at + 1 }, TCP_FLAG.syn | TCP_FLAG.ack);
  }

  wait(milliseconds: number): void {
    this.now += milliseconds * 1000;
    this.engine.tick();
  }

  finish(): void {
    this.engine.finish();
  }

  #send(client: number, fromClient: boolean, data: Uint8Array | string, place: Place, flags: number) {
    const next = this.#next[fromClient ? 'client' : 'server'];
    const at = place.at ?? next.get(client) ?? 0;
    if (place.at === undefined) next.set(client, at + data.length);
    const seq = FIRST + at;
    const ack = (flags & TCP_FLAG.ack) === 0 ? 0 : FIRST + (place.acknowledges ?? 0);
    const [srcPort, dstPort] = fromClient ? [ManyWires.portOf(client), 443] : [443, ManyWires.portOf(client)];
    const server = place.to === undefined ? '198.51.100.7' : `203.0.${place.to >> 8}.${place.to & 0xff}`;
    const ends = { source: '10.1.2.3', destination: server };
    const way = fromClient ? ends : { source: ends.destination, destination: ends.source };
    this.#client = client;
    this.#packet = ipv4(tcpSegment({ srcPort, dstPort, seq, ack, flags, data }), way);
    this.#answer = 'held';
    const words = new Uint32Array(FIELD.ROW);
    words[FIELD.packetId] = 1;
    words[FIELD.length] = this.#packet.length;
    words[FIELD.connmark] = this.markOf(client);
    words[FIELD.inIfindex] = fromClient ? 2 : 3;
    words[FIELD.outIfindex] = fromClient ? 3 : 2;
    words[FIELD.flags] = FLAG.hasConnmark | FLAG.csumNotReady;
    words[FIELD.timeSeconds] = Math.floor(this.now / 1e6);
    words[FIELD.timeMicros] = this.now % 1e6;
    this.engine.onBatch({ slab: Buffer.from(this.#packet), words, count: 1 });
    return this.#answer;
  }
}

/** Sequence number of either side's first octet. */
const FIRST = 1_000;
