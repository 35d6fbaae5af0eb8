/**
 * Segments to their connections: refuses what no receiver would take, finds the flow that a segment is of, and hands it
 * over. SYNs are syns.ts; of whom nobody knows the connection, strangers.ts; what is said of one, connection.ts.
 */
import type { Answers } from '../connection/answers.ts';
import type { Connection } from '../connection/connection.ts';
import { subjectOf } from '../connection/factory.ts';
import type { HalfOpen } from '../connection/half-open.ts';
import { beginsClientHello, startsMidStream } from '../connection/pick-up.ts';
import type { Settled } from '../connection/settled.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import { isUnacceptable } from '../packet/acceptable.ts';
import { tcpChecksumFits } from '../packet/checksum.ts';
import type { PacketContext } from '../packet/context.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import { FlowKey } from '../tcp/flow-key.ts';
import type { Connections } from './connections.ts';
import type { Guises } from './guise/guises.ts';
import { Strangers } from './strangers.ts';
import { Syns } from './syns.ts';
import type { Verdicts } from './verdicts.ts';

export interface SegmentsParts {
  readonly options: Surroundings;
  readonly verdicts: Verdicts;
  readonly connections: Connections;
  /** Undefined where no probes come by. */
  readonly guises: Guises | undefined;
  /** The connections'. */
  readonly seed: number;
}

export class Segments {
  readonly #answers: Answers;
  readonly #verdicts: Verdicts;
  readonly #live: boolean;
  readonly #connections: Connections;
  readonly #guises: Guises | undefined;
  readonly #key: FlowKey;
  readonly #syns: Syns;
  readonly #strangers: Strangers;

  constructor({ options, verdicts, connections, guises, seed }: SegmentsParts) {
    this.#answers = verdicts;
    this.#verdicts = verdicts;
    this.#live = options.live;
    this.#connections = connections;
    this.#guises = guises;
    this.#key = new FlowKey(seed);
    this.#syns = new Syns(options, verdicts, connections);
    this.#strangers = new Strangers(options, verdicts, connections.factory);
  }

  set holdsNew(holds: boolean) {
    this.#syns.holdsNew = holds;
  }

  onPacket(p: PacketContext): void {
    const { ip, tcp } = p;
    const key = this.#key;
    if (!tcp.parse(ip)) return this.#answers.refuse('packet.tcp', p.packetId);
    if (p.isChecksumReady && !tcpChecksumFits(ip)) return this.#answers.refuse('packet.checksum', p.packetId);
    if (this.#guises?.take(p)) return;
    if (p.ctid === 0) key.setEndpoints(ip, tcp);
    else key.setConntrack(p.ctid, p.isConntrackReply);
    const flow = this.#connections.flows.find(key);
    if (tcp.has(TCP_FLAG.syn)) {
      const isAnswered = this.#syns.onSyn(p, key, flow);
      return isAnswered ? undefined : this.#onUnknown(p);
    }
    if (this.#live && isUnacceptable(tcp)) return this.#answers.refuse('packet.segment', p.packetId);
    if (flow === undefined) return this.#onUnknown(p);
    const fromClient = key.forward === flow.clientForward;
    if (flow.kind === 'settled') return this.#onSettledPacket(p, flow, fromClient);
    const connection = flow.kind === 'connection' ? flow : this.#onHalfOpenPacket(p, flow, fromClient);
    if (connection === undefined) return;
    if (connection.told !== undefined) {
      connection.noteFlags(tcp.flags, p.time, fromClient);
      return this.#verdicts.pass(p.packetId, connection.passing);
    }
    // Who was called may speak first, and as a client: on FTP's data connections in active mode (RFC 4217 §7).
    if (!this.#live && !fromClient && connection.inspection.isUnread && beginsClientHello(tcp)) return this.#pickUp(p);
    if (fromClient) connection.onClientPacket(p);
    else connection.onServerPacket(p);
    this.#connections.refresh(connection, p);
  }

  /** Does what is due. */
  tick(now: number): void {
    this.#strangers.tick(now);
  }

  /** Tells what was only counted so far. */
  finish(): void {
    this.#strangers.finish();
  }

  /** The connection that it begins, or undefined when the packet is answered and there is nothing to begin yet. */
  #onHalfOpenPacket(p: PacketContext, flow: HalfOpen, fromClient: boolean): Connection | undefined {
    const { factory } = this.#connections;
    const wasOpen = flow.isOpen;
    const passes = this.#live ? flow.onBare(p, fromClient) : undefined;
    const mayWait = passes === true && !wasOpen && flow.isOpen && !flow.isReset;
    const subject = passes === undefined || mayWait ? subjectOf(p, fromClient) : undefined;
    if (subject === undefined || (mayWait && !factory.asksFirst(subject))) {
      if (passes) this.#answers.accept(p.packetId);
      else this.#answers.drop(p.packetId);
      return undefined;
    }
    const connection = factory.connection(flow, subject, p.time);
    this.#connections.flows.begin(connection);
    return connection;
  }

  #onSettledPacket(p: PacketContext, flow: Settled, fromClient: boolean): void {
    const passes = flow.onPacket(p, fromClient);
    // The mark goes with the packets from whom it was first written with.
    const mark = fromClient || !flow.isAccepted ? flow.mark : undefined;
    if (passes) this.#answers.accept(p.packetId, mark);
    else this.#answers.drop(p.packetId, flow.isAccepted ? undefined : mark);
  }

  /** No connection is known: after a restart, an eviction, or for one that is older than the rules. */
  #onUnknown(p: PacketContext): void {
    if (this.#live) this.#strangers.onPacket(p, this.#key.hash);
    else this.#pickUp(p);
  }

  /** A capture that begins in the middle. */
  #pickUp(p: PacketContext): void {
    const { factory, flows } = this.#connections;
    const start = startsMidStream(p.tcp);
    const isPickedUp = start !== undefined && this.#connections.makeRoom(p.time);
    if (!isPickedUp) return this.#answers.accept(p.packetId);
    const { fromClient } = start;
    const begun = factory.halfOpen(p, this.#key, fromClient);
    const connection = factory.connection(begun, subjectOf(p, fromClient), p.time);
    connection.openAt(start.clientFirst, start.serverFirst);
    connection.inspection.skip('client', 0);
    flows.begin(connection);
    if (fromClient) connection.onClientPacket(p);
    else connection.onServerPacket(p);
  }
}
