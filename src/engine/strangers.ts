/**
 * Segments of connections that nobody knows, in live traffic: what an earlier engine, or nobody, has said of them stands
 * in their mark. Undecided never becomes accepted by forgetting.
 */
import { type ConnectionFactory, subjectOf } from '../connection/factory.ts';
import { strangerEvent } from '../connection/record.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import type { PacketContext } from '../packet/context.ts';
import { copyHeaders, rewriteSegment } from '../packet/rewrite.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import type { Verdicts } from './verdicts.ts';

export class Strangers {
  readonly #surroundings: Pick<Surroundings, 'events' | 'clock'>;
  readonly #verdicts: Verdicts;
  readonly #factory: ConnectionFactory;
  readonly #reported = new Set<number>();

  constructor(surroundings: Pick<Surroundings, 'events' | 'clock'>, verdicts: Verdicts, factory: ConnectionFactory) {
    this.#surroundings = surroundings;
    this.#verdicts = verdicts;
    this.#factory = factory;
  }

  /** `flow` tells the packet's connection from most others. */
  onPacket(p: PacketContext, flow: number): void {
    const { marks } = this.#verdicts;
    const state = p.hasConnmark ? marks.stateOf(p.connmark) : 'none';
    if (state === 'accept') return this.#verdicts.accept(p.packetId);
    if (state === 'deny') return this.#verdicts.drop(p.packetId);
    if (state === 'none' && !this.#denies(p)) return this.#verdicts.accept(p.packetId, marks.accept(null));
    this.#verdicts.counters.midstream++;
    this.#report(p, flow);
    this.#reset(p);
  }

  /** Which end is the client is not known, so both ways round are asked. */
  #denies(p: PacketContext): boolean {
    return [subjectOf(p, true), subjectOf(p, false)].some((subject) => {
      const judge = this.#factory.judge(subject);
      judge.settleBy('midstream', 'midstream');
      return judge.ruling!.action !== 'accept';
    });
  }

  /** Once for each connection, which may send a lot until both ends have given up. */
  #report(p: PacketContext, flow: number): void {
    if (this.#reported.has(flow)) return;
    if (this.#reported.size >= MAX_REPORTED) this.#reported.clear();
    this.#reported.add(flow);
    const { snapshot } = this.#verdicts;
    const { events, clock } = this.#surroundings;
    const subject = subjectOf(p, !snapshot.isServerPort(p.tcp.srcPort));
    events.emit(strangerEvent(subject, snapshot.policy.hash, clock.wallTime()));
  }

  /** Whoever sent this is told that the connection is gone. */
  #reset(p: PacketContext): void {
    const { tcp } = p;
    if (tcp.has(TCP_FLAG.rst)) return this.#verdicts.accept(p.packetId);
    if (p.isGso) return this.#verdicts.drop(p.packetId);
    const flags = TCP_FLAG.rst | TCP_FLAG.ack;
    const rewrite = { seq: tcp.seq, ack: tcp.ack, flags, payload: NOTHING, keepOptions: false };
    this.#verdicts.replace(p.packetId, rewriteSegment(copyHeaders(p.ip, tcp), rewrite));
  }
}

const NOTHING = new Uint8Array(0);
const MAX_REPORTED = 4096;
