/**
 * Segments of connections that nobody knows, in live traffic: what an earlier engine, or nobody, has said of them stands
 * in their mark. Undecided never becomes accepted by forgetting, and both ends are told that the connection is gone:
 *
 *   A ----- data ----->  becomes RST ------> B   B has closed
 *   A -- data, again -->  becomes ACK ------> B
 *   A <------------------------------- RST -- B   of whom has no such connection (RFC 9293 §3.10.7.1): A has closed
 */
import { type ConnectionFactory, subjectOf } from '../connection/factory.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import type { PacketContext } from '../packet/context.ts';
import { copyHeaders, rewriteSegment } from '../packet/rewrite.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import { StrangerRecords } from './stranger-records.ts';
import type { Verdicts } from './verdicts.ts';

export class Strangers {
  readonly #verdicts: Verdicts;
  readonly #factory: ConnectionFactory;
  readonly #records: StrangerRecords;
  /** By flow and direction: SEG.SEQ of what became a reset last. */
  readonly #resets = new Map<number, number>();

  constructor(
    { events, clock }: Pick<Surroundings, 'events' | 'clock'>,
    verdicts: Verdicts,
    factory: ConnectionFactory,
  ) {
    this.#verdicts = verdicts;
    this.#factory = factory;
    this.#records = new StrangerRecords({ events, clock, config: () => verdicts.snapshot.policy.hash });
  }

  /** Tells what was counted once its period is over. */
  tick(now: number): void {
    this.#records.tick(now);
  }

  /** Tells it now. */
  finish(): void {
    this.#records.flush();
  }

  /** `flow` tells the packet's connection from most others. */
  onPacket(p: PacketContext, flow: number): void {
    const { marks } = this.#verdicts;
    const state = p.hasConnmark ? marks.stateOf(p.connmark) : 'none';
    if (state === 'accept') return this.#verdicts.accept(p.packetId);
    if (state === 'deny') return this.#verdicts.drop(p.packetId);
    if (state === 'none' && !this.#denies(p)) return this.#verdicts.accept(p.packetId, marks.accept(null));
    if (isMereAcknowledgment(p)) return this.#verdicts.accept(p.packetId);
    this.#verdicts.counters.midstream++;
    this.#records.add(subjectOf(p, !this.#verdicts.snapshot.isServerPort(p.tcp.srcPort)), flow);
    this.#tell(p, flow * 2 + (p.tcp.srcPort < p.tcp.dstPort ? 1 : 0));
  }

  /** Which end is the client is not known, so both ways round are asked. */
  #denies(p: PacketContext): boolean {
    return [subjectOf(p, true), subjectOf(p, false)].some((subject) => {
      const judge = this.#factory.judge(subject);
      judge.settleBy('midstream', 'midstream');
      return judge.ruling!.action !== 'accept';
    });
  }

  /** Whoever is sent this; once that end has closed, it tells the other one. */
  #tell(p: PacketContext, way: number): void {
    const { tcp } = p;
    if (tcp.has(TCP_FLAG.rst)) return this.#verdicts.accept(p.packetId);
    if (p.isGso) return this.#verdicts.drop(p.packetId);
    const isRepeated = this.#resets.get(way) === tcp.seq;
    if (isRepeated) this.#resets.delete(way);
    else {
      if (this.#resets.size >= MAX_RESETS) this.#resets.clear();
      this.#resets.set(way, tcp.seq);
    }
    const flags = isRepeated ? TCP_FLAG.ack : TCP_FLAG.rst | TCP_FLAG.ack;
    const rewrite = { seq: tcp.seq, ack: tcp.ack, flags, payload: NOTHING, keepOptions: false };
    this.#verdicts.replace(p.packetId, rewriteSegment(copyHeaders(p.ip, tcp), rewrite));
  }
}

/** It brings nothing that could be read, and nobody sends it again. */
function isMereAcknowledgment({ tcp }: PacketContext): boolean {
  return tcp.dataLength === 0 && !tcp.has(TCP_FLAG.rst) && !tcp.has(TCP_FLAG.fin);
}

const NOTHING = new Uint8Array(0);
const MAX_RESETS = 4096;
