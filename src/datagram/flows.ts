/**
 * UDP: finds the flow that a datagram is of, and turns what the flow says into verdicts and marks. Owns the table of
 * these flows and its bounds. Undecided flows need no mark of their own: whoever is forgotten begins again, and nothing
 * but the beginning of a handshake is ever accepted of a flow that nobody knows and a pinset could concern.
 */
import { randomBytes } from 'node:crypto';
import { udpChecksumFits } from '../packet/checksum.ts';
import { emptyDatagram } from '../packet/rewrite.ts';
import { isLongHeader } from '../quic/packet.ts';
import { beginsConnection } from '../quic/initial-reader.ts';
import { FlowKey } from '../tcp/flow-key.ts';
import { FlowTable } from '../tcp/flow-table.ts';
import { AgeList } from '../connection/age-list.ts';
import type { Answers } from '../connection/answers.ts';
import type { FlowNumbers } from '../connection/flow-numbers.ts';
import { DatagramFlow } from './flow.ts';
import { DatagramFlowHost, type SharedByFlows } from './flow-host.ts';
import { datagramSubject, type DatagramVerdict } from './packet.ts';
import { dtlsRole } from './dtls-content.ts';
import type { PacketContext } from '../packet/context.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import { rule } from '../judge/ruling.ts';
import { applySituation, holdersOf } from '../judge/situation.ts';
import { Waiting } from '../connection/waiting.ts';
import { comesBy, isOneArmed } from '../connection/way.ts';

export class DatagramEngine {
  readonly #options: Surroundings;
  readonly #host: Answers;
  readonly #numbers: FlowNumbers;
  readonly #key: FlowKey;
  /** For flows that are not the one whose packet is being answered. */
  readonly #otherKey: FlowKey;
  #table: FlowTable<DatagramFlow> | undefined;
  /** By age of the last datagram, the oldest first. */
  readonly #flows = new AgeList<DatagramFlow>();
  readonly #waiting = new Waiting();
  readonly #shared: SharedByFlows;
  #now = 0;

  constructor(options: Surroundings, host: Answers, numbers: FlowNumbers) {
    this.#options = options;
    this.#host = host;
    this.#numbers = numbers;
    // Of a capture the datagram at hand says when it is.
    const clock = options.live ? options.clock : { now: () => this.#now, wallTime: () => this.#now };
    this.#shared = { options, host, clock };
    const seed = randomBytes(4).readInt32LE();
    this.#key = new FlowKey(seed);
    this.#otherKey = new FlowKey(seed);
  }

  get flows(): number {
    return this.#flows.size;
  }

  onPacket(p: PacketContext): void {
    const { ip, udp } = p;
    const { live } = this.#options;
    this.#now = p.time;
    if (!udp.parse(ip)) return this.#host.refuse('packet.udp', p.packetId);
    if (p.isChecksumReady && !udpChecksumFits(ip, udp)) return this.#host.refuse('packet.checksum', p.packetId);
    // Never conntrack's id: an entry whose first packet is dropped is gone, and the next packet has another one.
    this.#key.setEndpoints(ip, udp);
    const flow = this.#find(p) ?? (live ? this.#beginLive(p) : this.#beginOffline(p));
    if (flow === undefined) return;
    const fromClient = this.#key.forward === flow.identity.clientForward;
    // Only the way that led to the client so far leads to it: its address anybody can write.
    if (live && fromClient && !comesBy(flow.identity.way, p)) {
      return this.#host.refuse('udp.interface', p.packetId);
    }
    this.#flows.delete(flow);
    this.#flows.add(flow);
    this.#answer(p, flow, fromClient, fromClient ? flow.onClient(p) : flow.onServer(p));
    if (flow.deadline() !== Infinity) this.#waiting.add(flow);
  }

  /** Does what is due. Microseconds until it wants to be called again. */
  tick(now: number): number {
    this.#now = Math.max(this.#now, now);
    this.#waiting.tick(now);
    for (const flow of this.#flows) {
      if (now - flow.lastSeen < IDLE_TIMEOUT) break;
      this.#forget(flow);
    }
    const next = this.#waiting.deadline() - now;
    return this.#flows.size > 0 ? Math.max(0, Math.min(next, IDLE_TIMEOUT)) : next;
  }

  /** Another configuration is in force. */
  reselect(): void {
    for (const flow of this.#flows) flow.reselect();
  }

  /** Answers what waits and reports every flow that is open. */
  finish(): void {
    for (const flow of [...this.#flows]) this.#forget(flow);
  }

  /** A flow that has not been answered by the way that it came gives way to one that comes by another. */
  #find(p: PacketContext): DatagramFlow | undefined {
    const flow = this.#table?.find(this.#key);
    if (flow === undefined || !this.#options.live) return flow;
    const { clientForward, way } = flow.identity;
    const isStranger = this.#key.forward === clientForward && p.inIfindex !== way.inIfindex && !flow.isAnswered;
    if (!isStranger) return flow;
    this.#forget(flow);
    return undefined;
  }

  /** Undefined where the datagram has its verdict already. */
  #beginLive(p: PacketContext): DatagramFlow | undefined {
    const { host, udp } = { host: this.#host, udp: p.udp };
    const state = p.hasConnmark ? host.marks.stateOf(p.connmark) : 'none';
    // Both are the server's ports: the one who asks has the say.
    const fromClient = host.snapshot.isServerPort(udp.dstPort) || !host.snapshot.isServerPort(udp.srcPort);
    if (fromClient && (state === 'none' || state === 'pending' || this.#begins(p))) return this.#add(p, true);
    if (state === 'accept') host.accept(p.packetId);
    else if (state === 'deny' || this.#deniesMidstream(p, fromClient)) host.drop(p.packetId);
    else host.accept(p.packetId);
    return undefined;
  }

  /** Of a capture only what is recognised is worth a flow. */
  #beginOffline(p: PacketContext): DatagramFlow | undefined {
    const { bytes, dataStart, dataEnd } = p.udp;
    const role =
      dataStart < dataEnd && isLongHeader(bytes[dataStart]!)
        ? beginsConnection(bytes, dataStart, dataEnd) && 'client'
        : dtlsRole(bytes, dataStart, dataEnd);
    if (role) return this.#add(p, role === 'client');
    this.#host.accept(p.packetId);
    return undefined;
  }

  #begins(p: PacketContext): boolean {
    const { bytes, dataStart, dataEnd } = p.udp;
    if (dataStart === dataEnd) return false;
    return isLongHeader(bytes[dataStart]!) || dtlsRole(bytes, dataStart, dataEnd) === 'client';
  }

  #add(p: PacketContext, fromClient: boolean): DatagramFlow {
    this.#table ??= new FlowTable(Math.min(this.#host.limits.flows, MAX_FLOWS));
    if (this.#table.full) {
      this.#host.count('flows');
      this.#forget(this.#flows.oldest!);
    }
    const subject = datagramSubject(p, fromClient);
    const identity = {
      id: this.#numbers.next(p.frame),
      key: this.#key.kept,
      clientForward: this.#key.forward === fromClient,
      subject,
      way: fromClient
        ? { inIfindex: p.inIfindex, outIfindex: p.outIfindex, inLink: p.inLink }
        : { inIfindex: p.outIfindex, outIfindex: p.inIfindex, inLink: 0 },
      frame: p.frame,
    };
    const flow = new DatagramFlow(identity, new DatagramFlowHost(this.#shared, identity), p.time);
    this.#table.set(this.#key, flow);
    if (this.#options.live && isOneArmed(identity.way)) this.#host.onOneArmed();
    return flow;
  }

  #answer(p: PacketContext, flow: DatagramFlow, fromClient: boolean, verdict: DatagramVerdict): void {
    const { marks } = this.#host;
    switch (verdict) {
      case 'accept': {
        const ruling = this.#options.live ? flow.accepted(p, fromClient) : undefined;
        if (ruling !== undefined) return this.#host.accept(p.packetId, marks.accept(ruling.connmark));
        // What another connection of the same endpoints left is not this one's.
        const state = p.hasConnmark ? marks.stateOf(p.connmark) : 'none';
        const isStale = state === 'deny' || (state === 'accept' && flow.isUndecided);
        return this.#host.accept(p.packetId, isStale ? marks.pending : undefined);
      }
      case 'drop':
        return this.#host.drop(p.packetId);
      case 'reject':
        return this.#host.replace(p.packetId, emptyDatagram(p.ip, p.udp), marks.deny(null));
      case 'hold':
        return this.#host.onHeld();
      default:
        return verdict satisfies never;
    }
  }

  /** Which end is the client is what the ports say. */
  #deniesMidstream(p: PacketContext, fromClient: boolean): boolean {
    const holders = holdersOf(this.#host.snapshot, datagramSubject(p, fromClient), undefined);
    return rule(applySituation(holders, 'midstream', 'midstream'), 'none').action !== 'accept';
  }

  #forget(flow: DatagramFlow): void {
    // Of a capture nothing is said of a flow that depends on others.
    if (!this.#options.live) this.#now = flow.lastSeen;
    flow.end();
    this.#flows.delete(flow);
    this.#table?.delete(this.#otherKey.restore(flow.identity.key));
  }
}

const SECOND = 1e6;
/** Longer than a client repeats itself, and than conntrack remembers an unanswered datagram. */
const IDLE_TIMEOUT = 60 * SECOND;
/** Each may keep some ten KiB of a hello. */
const MAX_FLOWS = 16_384;
