/**
 * Packets in, verdicts out: parses headers, refuses what no receiver would take, finds the flow, and gives every packet
 * exactly one verdict or has it held. Which flows there are is flows.ts; what a connection does with its segments is
 * connection.ts; what is decided is judge.ts.
 */
import { randomBytes } from 'node:crypto';
import { copyOf } from '../bytes/copy.ts';
import { NF_ACCEPT, NF_DROP, type PacketBatch } from '../packet/batch.ts';
import { isUnacceptable } from '../packet/acceptable.ts';
import { tcpChecksumFits } from '../packet/checksum.ts';
import { IP } from '../packet/ip.ts';
import { copyHeaders, rewriteSegment } from '../packet/rewrite.ts';
import { withPlainOptions } from '../packet/syn-options.ts';
import { PROTOCOL_TCP, TCP_FLAG } from '../packet/tcp.ts';
import { PROTOCOL_UDP } from '../packet/udp.ts';
import type { LimitName, Limits } from '../pins/limits.ts';
import type { PolicyChange } from '../pins/match/pack.ts';
import type { Policy } from '../pins/policy.ts';
import { PinsetSnapshot } from '../pins/match/snapshot.ts';
import { FlowKey } from '../tcp/flow-key.ts';
import { PagePool } from '../tcp/page-pool.ts';
import { ConnectionFactory, subjectOf } from '../connection/factory.ts';
import type { Connection, ConnectionHost } from '../connection/connection.ts';
import { Counters } from './counters.ts';
import { DatagramEngine } from '../datagram/flows.ts';
import type { DatagramHost } from '../datagram/flow-host.ts';
import { listFlows, type FlowPage, type FlowQuestion } from '../connection/listing.ts';
import { FlowNumbers } from '../connection/flow-numbers.ts';
import { type Flow, Flows } from '../connection/flows.ts';
import { strangerEvent, verdictEvent } from '../connection/record.ts';
import type { HalfOpen } from '../connection/half-open.ts';
import { Settled } from '../connection/settled.ts';
import { Marks } from '../connection/marks.ts';
import { PacketContext } from '../packet/context.ts';
import { startsMidStream } from '../connection/pick-up.ts';
import type { EngineOptions } from './options.ts';
import type { MarkChange, PacketSink } from '../packet/source.ts';
import { isOfNoPinset } from '../judge/ruling.ts';
import { Waiting } from '../connection/waiting.ts';

export class Engine implements PacketSink {
  readonly counters = new Counters();
  readonly #options: EngineOptions;
  readonly #packet = new PacketContext();
  readonly #key: FlowKey;
  readonly #pool = new PagePool();
  readonly #flows: Flows;
  readonly #waiting = new Waiting();
  #snapshot: PinsetSnapshot;
  #marks: Marks;
  #held = 0;
  readonly #numbers: FlowNumbers;
  readonly #strangers = new Set<number>();
  readonly #factory: ConnectionFactory;
  readonly #datagrams: DatagramEngine;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#snapshot = options.snapshot ?? new PinsetSnapshot(options.policy);
    this.#marks = new Marks(options.policy.connmark);
    this.#numbers = new FlowNumbers(options.numbering);
    const seed = randomBytes(4).readInt32LE();
    this.#key = new FlowKey(seed);
    this.#flows = new Flows({
      capacity: options.policy.limits.flows,
      seed,
      handshakeTimeout: () => (options.live ? this.#limits.handshakeTimeout * 1000 : Infinity),
      onHandshakeTimeout: (connection, now) => connection.onHandshakeTimeout(now),
      onForgotten: (connection, wasDecided, now) => this.#onForgotten(connection, wasDecided, now),
    });
    this.#factory = new ConnectionFactory({
      options,
      host: this.#makeHost(),
      snapshot: () => this.#snapshot,
      now: () => this.#now(),
      count: (limit) => this.#count(limit),
      numbers: this.#numbers,
    });
    this.#datagrams = new DatagramEngine(options, this.#makeDatagramHost());
  }

  get heldPackets(): number {
    return this.#held;
  }

  /** Whether anything waits that has a deadline: `tick` wants to be called soon. */
  get waits(): boolean {
    return !this.#waiting.isEmpty || this.#held > 0;
  }

  get flows(): number {
    return this.#flows.count + this.#datagrams.flows;
  }

  /** For operators; changes nothing. */
  list(question: FlowQuestion): FlowPage {
    const connections = this.#flows.connections();
    const { hash: config } = this.#snapshot.policy;
    return listFlows({ connections, marks: this.#marks, config, now: this.#options.clock.now() }, question);
  }

  onBatch(batch: PacketBatch): void {
    for (let index = 0; index < batch.count; index++) this.#onPacket(batch, index);
    this.#options.verdicts.flush();
  }

  /** Does what is due. Microseconds until it wants to be called again; Infinity when nothing waits. */
  tick(): number {
    const now = this.#options.clock.now();
    this.#waiting.tick(now);
    this.#flows.expire(now);
    const datagrams = this.#datagrams.tick(now);
    this.#options.verdicts.flush();
    const next = Math.min(datagrams, this.#waiting.deadline() - now);
    return this.#flows.count > 0 ? Math.max(0, Math.min(next, SECOND)) : next;
  }

  /** Undecided connections are judged by the new policy from now on; decided ones keep their decision. */
  replacePolicy(policy: Policy): void {
    this.#adopt(new PinsetSnapshot(policy));
  }

  /** The same, told as what differs. */
  changePolicy(change: PolicyChange): void {
    this.#adopt(this.#snapshot.changed(change));
  }

  #adopt(snapshot: PinsetSnapshot): void {
    this.#snapshot = snapshot;
    this.#marks = new Marks(snapshot.policy.connmark);
    this.#factory.forgetSessions();
    for (const connection of [...this.#flows.connections()]) {
      if (!connection.isOpen) continue;
      if (this.#flows.isDecided(connection)) {
        // What it still hands out was judged by the old one.
        connection.judge.session.giveUp();
        continue;
      }
      connection.judge.reselect();
      connection.onSettled(this.#options.clock.now());
    }
    this.#datagrams.reselect();
    this.#options.verdicts.flush();
  }

  /** Answers every held packet and reports every connection that is still open. */
  finish(): void {
    this.#flows.forgetAll(this.#options.clock.now());
    this.#datagrams.finish();
    this.#options.verdicts.flush();
  }

  #onPacket(batch: PacketBatch, index: number): void {
    const p = this.#packet;
    const outcome = p.read(batch, index);
    this.counters.received++;
    if (outcome !== IP.ok || p.isTruncated) return this.#refuse('packet.ip', p.packetId);
    if (p.ip.protocol === PROTOCOL_UDP) return this.#datagrams.onPacket(p);
    if (p.ip.protocol !== PROTOCOL_TCP) return this.#accept(p.packetId);
    const { ip, tcp } = p;
    if (!tcp.parse(ip)) return this.#refuse('packet.tcp', p.packetId);
    if (p.isChecksumReady && !tcpChecksumFits(ip)) return this.#refuse('packet.checksum', p.packetId);
    if (p.ctid === 0) this.#key.setEndpoints(ip, tcp);
    else this.#key.setConntrack(p.ctid, p.isConntrackReply);
    const flow = this.#flows.find(this.#key);
    if (tcp.has(TCP_FLAG.syn)) return this.#onSyn(p, flow);
    if (this.#options.live && isUnacceptable(tcp)) return this.#refuse('packet.segment', p.packetId);
    if (flow === undefined) return this.#onUnknown(p);
    const fromClient = this.#key.forward === flow.clientForward;
    if (flow.kind === 'settled') return this.#onSettledPacket(p, flow, fromClient);
    const connection = flow.kind === 'connection' ? flow : this.#onHalfOpenPacket(p, flow, fromClient);
    if (connection === undefined) return;
    if (fromClient) connection.onClientPacket(p);
    else connection.onServerPacket(p);
    this.#refresh(connection, p);
  }

  /** The connection that it begins, or undefined when the packet is answered and there is nothing to begin yet. */
  #onHalfOpenPacket(p: PacketContext, flow: HalfOpen, fromClient: boolean): Connection | undefined {
    const passes = this.#options.live ? flow.onBare(p, fromClient) : undefined;
    if (passes !== undefined) {
      if (passes) this.#accept(p.packetId);
      else this.#drop(p.packetId);
      return undefined;
    }
    const connection = this.#factory.connection(flow, p, fromClient);
    this.#flows.begin(connection);
    return connection;
  }

  #onSettledPacket(p: PacketContext, flow: Settled, fromClient: boolean): void {
    const passes = flow.onPacket(p, fromClient);
    // The mark goes with the packets from whom it was first written with.
    const mark = fromClient || !flow.isAccepted ? flow.mark : undefined;
    if (passes) this.#accept(p.packetId, mark);
    else this.#drop(p.packetId, flow.isAccepted ? undefined : mark);
  }

  #onSyn(p: PacketContext, flow: Flow | undefined): void {
    const { tcp } = p;
    // RFC 9293 §3.10.7: no sender sets SYN with FIN or RST; and with URG an octet to come is out of the stream.
    if (tcp.has(TCP_FLAG.fin | TCP_FLAG.rst | TCP_FLAG.urg)) return this.#refuse('packet.flags', p.packetId);
    if (tcp.has(TCP_FLAG.ack)) return this.#onSynAck(p, flow);
    if (flow === undefined) return this.#onNewSyn(p);
    if (this.#key.forward !== flow.clientForward) {
      // A simultaneous open: who is the client would be whoever says so.
      if (this.#options.live || flow.kind === 'settled') return this.#refuse('tcp.simultaneous-open', p.packetId);
      this.#flows.forget(flow, p.time);
      return this.#onNewSyn(p);
    }
    const known = flow.kind === 'settled' ? flow : flow.opening;
    const isOwn = flow.kind === 'settled' ? flow.synSeq === tcp.seq : flow.opening.knowsSyn(tcp.seq);
    if (!this.#options.live && flow.kind === 'connection' && flow.isOpen && !isOwn) {
      // Of a capture of one direction no SYN/ACK will tell that the connection is new.
      this.#flows.forget(flow, p.time);
      return this.#onNewSyn(p);
    }
    // Only the way that led to the client so far leads to it: its address anybody can write.
    if (known.inIfindex !== p.inIfindex) return this.#refuse('tcp.syn.interface', p.packetId);
    const isBegun = flow.kind === 'settled' || flow.isOpen;
    // Resent, or late: it is this connection's own.
    if (isBegun && isOwn) return this.#acceptSyn(p);
    const target = isBegun ? (flow.successor ??= this.#factory.halfOpen(p, this.#key)) : flow;
    const taken = target.opening.onSyn({ seq: tcp.seq, inIfindex: p.inIfindex, data: synData(p) });
    if (!taken) return this.#refuse('tcp.syn.too-many', p.packetId);
    this.#acceptSyn(p);
  }

  #onNewSyn(p: PacketContext): void {
    // From a server's port to a client's: the same, with the client's own SYN forgotten.
    const { srcPort, dstPort } = p.tcp;
    if (this.#options.live && this.#isServerPort(srcPort) && !this.#isServerPort(dstPort)) {
      return this.#refuse('tcp.simultaneous-open', p.packetId);
    }
    if (!this.#makeRoom(p.time)) return this.#overload(p);
    const flow = this.#factory.halfOpen(p, this.#key);
    flow.opening.onSyn({ seq: p.tcp.seq, inIfindex: p.inIfindex, data: synData(p) });
    this.#flows.begin(flow);
    // A mark that an earlier connection left stays until the server answers: anybody can forge a SYN.
    const isUnmarked = !p.hasConnmark || this.#marks.stateOf(p.connmark) === 'none';
    this.#acceptSyn(p, isUnmarked ? this.#marks.pending : undefined);
  }

  #onSynAck(p: PacketContext, flow: Flow | undefined): void {
    const { tcp } = p;
    // A client may keep data that comes with it, ahead of anything that it can be compared with.
    if (this.#options.live && tcp.dataLength > 0) return this.#refuse('tcp.syn-ack.data', p.packetId);
    // Forgotten between SYN and SYN/ACK; what mark is there is an earlier connection's. The client repeats its SYN.
    if (flow === undefined && this.#options.live) return this.#refuse('tcp.syn-ack', p.packetId);
    if (flow === undefined) return this.#onUnknown(p);
    if (this.#key.forward === flow.clientForward) return this.#refuse('tcp.simultaneous-open', p.packetId);
    const { successor } = flow;
    if (successor?.opening.onSynAck(tcp.seq, tcp.ack)) {
      if (flow.kind !== 'settled') this.#flows.forget(flow, p.time);
      this.#flows.begin(successor);
      return this.#acceptSyn(p, this.#marks.pending);
    }
    // The client has it already; it answers another copy as it answers any old segment.
    if (flow.kind === 'settled' || !flow.opening.onSynAck(tcp.seq, tcp.ack)) {
      return this.#refuse('tcp.syn-ack', p.packetId);
    }
    const state = this.#marks.stateOf(p.connmark);
    const isStale = !flow.isOpen && p.hasConnmark && state !== 'pending';
    this.#acceptSyn(p, isStale ? this.#marks.pending : undefined);
  }

  /** With its options as far as they leave the stream as it is. */
  #acceptSyn(p: PacketContext, connmark?: MarkChange): void {
    const plain = this.#options.live ? withPlainOptions(p.ip, p.tcp) : undefined;
    if (plain === undefined) return this.#accept(p.packetId, connmark);
    this.counters.synOptionsRemoved++;
    this.#replace(p.packetId, plain, connmark);
  }

  /** No connection is known: after a restart, an eviction, or for one that is older than the rules. */
  #onUnknown(p: PacketContext): void {
    if (!this.#options.live) return this.#pickUp(p);
    const state = p.hasConnmark ? this.#marks.stateOf(p.connmark) : 'none';
    if (state === 'accept') return this.#accept(p.packetId);
    if (state === 'deny') return this.#drop(p.packetId);
    if (state === 'none' && !this.#deniesMidstream(p)) {
      return this.#accept(p.packetId, this.#marks.accept(null));
    }
    this.#resetStranger(p);
  }

  /** Undecided never becomes accepted by forgetting: whoever sent this is told that the connection is gone. */
  #resetStranger(p: PacketContext): void {
    this.counters.midstream++;
    const { tcp } = p;
    this.#reportStranger(p);
    if (tcp.has(TCP_FLAG.rst)) return this.#accept(p.packetId);
    if (p.isGso) return this.#drop(p.packetId);
    const flags = TCP_FLAG.rst | TCP_FLAG.ack;
    const rewrite = { seq: tcp.seq, ack: tcp.ack, flags, payload: NOTHING, keepOptions: false };
    this.#replace(p.packetId, rewriteSegment(copyHeaders(p.ip, tcp), rewrite));
  }

  /** Once for each of the connections that nobody knows, which may send a lot until both ends have given up. */
  #reportStranger(p: PacketContext): void {
    if (this.#strangers.has(this.#key.hash)) return;
    if (this.#strangers.size >= MAX_STRANGERS) this.#strangers.clear();
    this.#strangers.add(this.#key.hash);
    const subject = subjectOf(p, !this.#isServerPort(p.tcp.srcPort));
    this.#options.events.emit(strangerEvent(subject, this.#snapshot.policy.hash, p.time));
  }

  #isServerPort(port: number): boolean {
    return this.#snapshot.policy.ports.some(([first, last]) => first <= port && port <= last);
  }

  /** Which end is the client is not known, so both ways round are asked. */
  #deniesMidstream(p: PacketContext): boolean {
    return [subjectOf(p, true), subjectOf(p, false)].some((subject) => {
      const judge = this.#factory.judge(subject);
      judge.settleBy('midstream', 'midstream');
      return judge.ruling!.action !== 'accept';
    });
  }

  #pickUp(p: PacketContext): void {
    const start = startsMidStream(p.tcp);
    const isPickedUp = start !== undefined && this.#makeRoom(p.time);
    if (!isPickedUp) return this.#accept(p.packetId);
    const { fromClient } = start;
    const connection = this.#factory.connection(this.#factory.halfOpen(p, this.#key, fromClient), p, fromClient);
    connection.openAt(start.clientFirst, start.serverFirst);
    this.#flows.begin(connection);
    if (fromClient) connection.onClientPacket(p);
    else connection.onServerPacket(p);
  }

  /** Of a capture the packet at hand says when it is: a batch may span years. */
  #now(): number {
    return this.#options.live ? this.#options.clock.now() : this.#packet.time;
  }

  /** Moves the connection between the clocks. */
  #refresh(connection: Connection, p: PacketContext): void {
    if (p.tcp.has(TCP_FLAG.rst)) connection.closedSides = 2;
    else if (p.tcp.has(TCP_FLAG.fin)) connection.closedSides++;
    const hasBegun = connection.isOpen && (connection.inspection.begun || connection.phase !== 'inspecting');
    if (hasBegun) this.#flows.onBegun(connection, p.time);
  }

  /** Gives up the oldest connection that has not begun a handshake, else the oldest that is decided. */
  #makeRoom(now: number): boolean {
    const outcome = this.#flows.makeRoom(now);
    if (outcome === 'made') this.counters.limits.flows++;
    return outcome !== 'full';
  }

  #overload(p: PacketContext): void {
    this.counters.limits.flows++;
    const judge = this.#factory.judge(subjectOf(p, true));
    judge.settleBy('overload', 'overload');
    if (judge.ruling!.action === 'accept') this.#acceptSyn(p, this.#marks.accept(null));
    else this.#drop(p.packetId);
  }

  #onForgotten(connection: Connection, wasDecided: boolean, now: number): void {
    connection.abandon(now);
    // One that never opened has nothing to tell.
    if (wasDecided || !connection.isOpen) return;
    this.#report(connection, this.#options.live ? now : connection.decidedAt || connection.lastSeen);
  }

  #report(connection: Connection, now: number): void {
    const { live, events } = this.#options;
    const { policy } = this.#snapshot;
    const { ruling, facts } = connection.judge;
    // A connection that ended by itself, before anything could be decided.
    if (ruling === undefined && !facts.isTls) return;
    if (live && !policy.log.unpinned && ruling !== undefined && isOfNoPinset(ruling)) return;
    if (!live && !facts.isTls && (ruling === undefined || ruling.reason === 'not-tls') && policy.pinsets.length === 0)
      return;
    events.emit(verdictEvent(connection, ruling, policy.hash, live ? this.#marks : undefined, now));
  }

  #makeHost(): ConnectionHost {
    const { live } = this.#options;
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const engine = this;
    return {
      get limits() {
        return engine.#limits;
      },
      get marks() {
        return engine.#marks;
      },
      pool: this.#pool,
      inspect: (connection) => this.#factory.inspect(connection),
      live,
      accept: (packetId, connmark) => this.#accept(packetId, connmark),
      drop: (packetId, connmark) => this.#drop(packetId, connmark),
      replace: (packetId, payload, connmark) => this.#replace(packetId, payload, connmark),
      mayHold: () => this.#held < this.#limits.heldPacketsQueue,
      onHeld: () => {
        this.#held++;
        this.counters.held++;
      },
      onWaits: (connection) => this.#waiting.add(connection),
      onReleased: (count) => {
        this.#held -= count;
      },
      onContinued: (connection) => {
        const { judge, decidedBy } = connection;
        const verdict = verdictEvent(connection, judge.ruling, decidedBy, this.#marks, this.#options.clock.now());
        this.#options.events.emit({ kind: 'continued', verdict });
      },
      onDecided: (connection) => {
        connection.decidedBy = this.#snapshot.policy.hash;
        this.#flows.onDecided(connection);
        this.#report(connection, this.#options.clock.now());
      },
      onSettled: (connection, isAccepted, mark) => {
        this.#flows.onSettled(connection, new Settled(connection, isAccepted, mark));
      },
      count: (limit) => this.#count(limit),
    };
  }

  #makeDatagramHost(): DatagramHost {
    // eslint-disable-next-line @typescript-eslint/no-this-alias
    const engine = this;
    return {
      get snapshot() {
        return engine.#snapshot;
      },
      get marks() {
        return engine.#marks;
      },
      get limits() {
        return engine.#limits;
      },
      accept: (packetId, connmark) => this.#accept(packetId, connmark),
      drop: (packetId, connmark) => this.#drop(packetId, connmark),
      replace: (packetId, payload, connmark) => this.#replace(packetId, payload, connmark),
      refuse: (code, packetId) => this.#refuse(code, packetId),
      count: (limit) => this.#count(limit),
      mayHold: () => this.#held < this.#limits.heldPacketsQueue,
      onHeld: () => {
        this.#held++;
        this.counters.held++;
      },
      onReleased: (count) => {
        this.#held -= count;
      },
      nextFlowId: () => this.#numbers.next(),
      isServerPort: (port) => this.#isServerPort(port),
    };
  }

  #count(limit: LimitName): void {
    this.counters.limits[limit]++;
  }

  get #limits(): Limits {
    return this.#snapshot.policy.limits;
  }

  #refuse(code: string, packetId: number): void {
    this.counters.refuse(code);
    if (this.#options.live) this.#drop(packetId);
    else this.#accept(packetId);
  }

  #accept(packetId: number, connmark?: MarkChange): void {
    this.counters.accepted++;
    this.#options.verdicts.verdict(packetId, NF_ACCEPT, connmark === undefined ? undefined : { connmark });
  }

  #drop(packetId: number, connmark?: MarkChange): void {
    this.counters.dropped++;
    this.#options.verdicts.verdict(packetId, NF_DROP, connmark === undefined ? undefined : { connmark });
  }

  #replace(packetId: number, payload: Uint8Array, connmark?: MarkChange): void {
    this.counters.accepted++;
    this.counters.rewritten++;
    this.#options.verdicts.verdict(packetId, NF_ACCEPT, connmark === undefined ? { payload } : { payload, connmark });
  }
}

/** RFC 7413: data of a SYN. */
function synData({ tcp }: PacketContext): Uint8Array {
  return tcp.dataLength === 0 ? NOTHING : copyOf(tcp.bytes, tcp.dataStart, tcp.dataEnd);
}

const SECOND = 1e6;
const NOTHING = new Uint8Array(0);
const MAX_STRANGERS = 4096;
