/**
 * One connection between its SYN and its decision: takes its segments in any order, feeds both streams to the
 * inspection, and answers each packet by the phase that it is in. The ruling is the judge's; what the client may have
 * before there is one is Gate's; carrying a denial out is Denial's.
 *
 *   opening ──client's ACK──▶ inspecting ──accept──▶ accepting ──client ACKs past the decision──▶ accepted (mark)
 *                                  └───────deny───▶ denying ───both ends know─────────────────▶ denied   (mark)
 */
import { copyOf } from '../bytes/copy.ts';
import { copyHeaders } from '../packet/rewrite.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { HalfStream, SEGMENT, type StreamConsumer } from '../tcp/half-stream.ts';
import type { PagePool } from '../tcp/page-pool.ts';
import { TimestampCheck } from '../tcp/timestamps.ts';
import { Aged } from './age-list.ts';
import { alertFor } from './alert.ts';
import { Denial, type Vehicle } from './denial.ts';
import { Gate, type GateHost } from './gate.ts';
import { type HeldPacket, HeldPackets } from './held.ts';
import type { Inspection } from './inspection.ts';
import type { Judge } from '../judge/judge.ts';
import type { HalfOpen } from './half-open.ts';
import type { Opened, Opening } from './opening.ts';
import type { PacketContext } from '../packet/context.ts';
import { beginsClientHello } from './pick-up.ts';
import type { MarkChange } from '../packet/source.ts';
import type { Marks } from './marks.ts';
import { SessionReading } from './session-reading.ts';
import type { Waiter } from './waiting.ts';

/** What a connection asks of the engine. */
export interface ConnectionHost extends GateHost {
  /** Makes what looks into the connection, once it is open: a SYN alone must stay cheap. */
  inspect(connection: Connection): Inspected;
  readonly pool: PagePool;
  readonly marks: Marks;
  readonly live: boolean;
  accept(packetId: number, connmark?: MarkChange): void;
  drop(packetId: number, connmark?: MarkChange): void;
  replace(packetId: number, payload: Uint8Array, connmark?: MarkChange): void;
  onHeld(connection: Connection): void;
  /** An answer from outside is awaited, and it has a deadline. */
  onWaits(connection: Connection): void;
  /** The client believes what it was shown of a server that is recorded. Called once, behind `onDecided`. */
  onContinued(connection: Connection): void;
  /** The ruling is there. Called once. */
  onDecided(connection: Connection): void;
  /** The mark is written, or is with the next packet: the kernel sees to the rest. Called once, after `onDecided`. */
  onSettled(connection: Connection, isAccepted: boolean, mark: MarkChange): void;
}

export interface Inspected {
  readonly judge: Judge;
  readonly inspection: Inspection;
}

export type Phase = 'opening' | 'inspecting' | 'accepting' | 'accepted' | 'denying' | 'denied';

export class Connection extends Aged implements Waiter {
  readonly kind = 'connection';
  readonly id: number;
  /** FlowKey.kept. */
  readonly key: string;
  /** Value of `FlowKey.forward` for packets that the client sends. */
  readonly clientForward: boolean;
  readonly subject: FlowSubject;
  readonly frame: number;
  lastSeen: number;
  /** When the client began to speak TLS. */
  begunAt = Infinity;
  /** Hash of the configuration that decided. */
  decidedBy = '';
  /** When the decision of a watched connection fell; 0 while there is none. */
  decidedAt = 0;
  phase: Phase = 'opening';
  isWaiting = false;
  /** A newer SYN of the same endpoints, which counts only once the server answers it. */
  successor: HalfOpen | undefined;
  readonly opening: Opening;
  closedSides = 0;
  readonly #host: ConnectionHost;
  #inspected: Inspected | undefined;
  #held: HeldPackets | undefined;
  /** The client's first flight, where it carries early data. */
  #heldOfClient: HeldPackets | undefined;
  #timestamps: TimestampCheck | undefined;
  #inIfindex = 0;
  #client: HalfStream | undefined;
  #server: HalfStream | undefined;
  #gate: Gate | undefined;
  #session: SessionReading | undefined;
  #denial: Denial | undefined;
  /** Client octets below this offset have been let go to the server without a gap. */
  #forwarded = 0;
  #decisionPoint = Infinity;
  #isAbandoned = false;

  constructor(host: ConnectionHost, begun: HalfOpen, subject: FlowSubject, now: number) {
    super();
    this.#host = host;
    this.id = begun.id;
    this.key = begun.key;
    this.clientForward = begun.clientForward;
    this.opening = begun.opening;
    this.successor = begun.successor;
    this.frame = begun.frame;
    this.subject = subject;
    this.lastSeen = now;
    if (this.opening.selected !== undefined) this.#start(this.opening.selected);
  }

  get judge(): Judge {
    return (this.#inspected ??= this.#host.inspect(this)).judge;
  }

  get inspection(): Inspection {
    return (this.#inspected ??= this.#host.inspect(this)).inspection;
  }

  /** Packets that wait, and how long any have waited so far, in microseconds. */
  get heldCount(): number {
    return (this.#held?.count ?? 0) + (this.#heldOfClient?.count ?? 0);
  }

  get heldMicros(): number {
    return Math.max(this.#held?.totalMicros ?? 0, this.#heldOfClient?.totalMicros ?? 0);
  }

  get isOpen(): boolean {
    return this.#client !== undefined;
  }

  /** Nothing is left to decide: a client that has nothing to say for long loses nothing by it. */
  get mayRest(): boolean {
    return this.phase === 'accepting' && (this.judge.continuation.wasAsked || this.judge.session.isAwaited);
  }

  /** Octets of memory that copies of this connection's streams use. */
  get bufferedBytes(): number {
    return (this.#client?.bufferedBytes ?? 0) + (this.#server?.bufferedBytes ?? 0);
  }

  /** A segment that is not a SYN, from the client. */
  onClientPacket(p: PacketContext): void {
    this.lastSeen = p.time;
    if (this.#client === undefined && !this.#open(p)) {
      // RFC 9293 §3.10.7.3: a client refuses a SYN/ACK that it did not ask for with a reset.
      return p.tcp.has(TCP_FLAG.rst) ? this.#host.accept(p.packetId) : this.#host.drop(p.packetId);
    }
    // Only the interface of the SYN leads to the client; anybody can write its address into a packet.
    if (this.#host.live && p.inIfindex !== this.#inIfindex) return this.#host.drop(p.packetId);
    switch (this.phase) {
      case 'accepted':
        return this.#acceptFromClient(p);
      case 'denying':
        return this.#denyTowardsServer(p);
      case 'denied':
        return this.#host.drop(p.packetId, this.#denyMark());
      case 'opening':
      case 'inspecting':
      case 'accepting':
        return this.#inspectClient(p);
      default:
        return this.phase satisfies never;
    }
  }

  /** A segment that is not a SYN, from the server. */
  onServerPacket(p: PacketContext): void {
    this.lastSeen = p.time;
    if (this.#server === undefined) {
      // Until the client has answered the SYN/ACK nobody knows where its stream begins.
      const opened = this.#host.live ? undefined : this.opening.latest;
      if (opened === undefined) {
        const isBare = p.tcp.dataLength === 0;
        return isBare ? this.#host.accept(p.packetId) : this.#host.drop(p.packetId);
      }
      this.#start(opened);
    }
    switch (this.phase) {
      case 'accepted':
        return this.#host.accept(p.packetId);
      case 'denying':
        return this.#denyServer(p);
      case 'denied':
        return this.#host.drop(p.packetId, this.#denyMark());
      case 'opening':
      case 'inspecting':
      case 'accepting':
        return this.#inspectServer(p);
      default:
        return this.phase satisfies never;
    }
  }

  /** Begins without a SYN: a capture that starts in the middle. */
  openAt(clientFirst: number, serverFirst: number): void {
    this.#start({ inIfindex: 0, clientFirst, serverFirst, earlyOctets: NOTHING });
  }

  /** An answer from outside has come for the judge. */
  onSettled(now: number): void {
    if (this.phase !== 'inspecting' || this.#isAbandoned) return;
    if (this.judge.ruling !== undefined) return this.#applyRuling(now);
    if (!this.judge.holdsClient) this.#releaseClient(now);
    this.#gate!.onAnswer(now);
  }

  /** When `onTime` wants to be called, in microseconds. */
  deadline(): number {
    if (this.phase !== 'inspecting' || this.#isAbandoned) return Infinity;
    return this.judge.waiting ? this.judge.deadline : this.#gate!.deadline();
  }

  onTime(now: number): void {
    if (now < this.deadline()) return;
    if (!this.judge.waiting) return this.#gate!.onTime(now);
    this.judge.onDeadline();
    this.onSettled(now);
  }

  /** The handshake took too long. */
  onHandshakeTimeout(now: number): void {
    if (this.phase !== 'inspecting' && this.phase !== 'opening') return;
    this.judge.settleBy('incomplete', 'incomplete');
    this.#applyRuling(now);
  }

  /** Answers everything that waits, and forgets the streams. What is settled later has no connection any more. */
  abandon(now: number): void {
    this.#isAbandoned = true;
    this.#inspected?.judge.close();
    for (const packet of this.#held?.takeAll(now) ?? []) this.#host.drop(packet.packetId);
    for (const packet of this.#heldOfClient?.takeAll(now) ?? []) this.#host.drop(packet.packetId);
    this.#client?.release();
    this.#server?.release();
  }

  #open(p: PacketContext): boolean {
    if (!p.tcp.has(TCP_FLAG.ack)) return false;
    const { seq, ack } = p.tcp;
    const { live } = this.#host;
    const opened = this.opening.select(seq, ack, live ? p.inIfindex : undefined);
    if (opened === undefined && live) return false;
    // Of a capture of one direction the client's own numbers are all that there is.
    if (opened === undefined && this.opening.latest === undefined) this.openAt(seq, ack);
    else this.#start(opened ?? this.opening.latest!);
    return true;
  }

  #start(opened: Opened): void {
    const { pool, limits } = this.#host;
    this.#inIfindex = opened.inIfindex;
    this.#client = new HalfStream(opened.clientFirst, pool, limits);
    this.#server = new HalfStream(opened.serverFirst, pool, limits);
    this.#timestamps = new TimestampCheck();
    this.#held = new HeldPackets();
    const onHeld = (): void => this.#host.onHeld(this);
    this.#gate = new Gate(this.#host, this.#server, this.judge, this.inspection, this.#held, onHeld);
    const { bytesPerDirection } = limits;
    this.#session = new SessionReading(this.#server, this.judge, this.inspection, bytesPerDirection);
    this.phase = 'inspecting';
    if (opened.earlyOctets.length > 0) {
      this.#client.accept(
        opened.clientFirst,
        opened.earlyOctets,
        0,
        opened.earlyOctets.length,
        this.inspection.feedClient,
      );
      this.#forwarded = this.#client.next;
    }
  }

  #inspectClient(p: PacketContext): void {
    const { tcp } = p;
    const client = this.#client!;
    const server = this.#server!;
    const inOrder = !tcp.has(TCP_FLAG.ack) || server.acknowledge(tcp.ack);
    if (!this.#host.live) return this.#watch(p, client, this.inspection.feedClient);
    if (this.phase === 'inspecting') this.#noteTaken(server);
    if (!inOrder && this.phase === 'inspecting') {
      // It has octets that never came by: one direction takes another way, and nothing here can be sure.
      this.judge.settleBy('incomplete', 'incomplete', 'tcp.unseen-octets');
    }
    if (tcp.dataLength > 0 && this.phase === 'inspecting' && this.judge.ruling === undefined) {
      const outcome = client.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, this.inspection.feedClient);
      if (outcome === SEGMENT.refused) return this.#refuse(p);
      if (outcome === SEGMENT.conflict) {
        this.judge.settleBy('parseError', 'overlap-conflict', 'tcp.client.conflict');
        if (!this.#denies()) return this.#host.drop(p.packetId);
      } else if (client.next > this.#host.limits.bytesPerDirection && this.judge.ruling === undefined) {
        this.#host.count('bytesPerDirection');
        this.judge.settleBy('parseError', 'limit', 'tcp.client.bytes');
      }
    }
    if (this.phase === 'inspecting' && this.judge.ruling !== undefined) this.#applyRuling(p.time);
    if (this.#is('denying')) return this.#denyTowardsServer(p);
    if (this.#is('denied')) return this.#host.drop(p.packetId, this.#denyMark());
    if (tcp.dataLength > 0 && this.judge.holdsClient) return this.#holdClient(p);
    this.#gate!.onClientPacket();
    if (this.phase === 'accepting') this.#session!.onAcknowledgment();
    if (tcp.dataLength > 0 && this.phase === 'accepting' && this.judge.readsClient) this.#readOn(p, client);
    this.#forwarded = Math.max(this.#forwarded, client.next);
    this.#acceptFromClient(p);
  }

  /** The client logs a secret once it has what comes ahead of the records that the secret opens. */
  #noteTaken(server: HalfStream): void {
    const { sealedFrom } = this.inspection;
    if (sealedFrom !== undefined && server.acked >= sealedFrom) this.judge.onServerHelloTaken();
  }

  /** Behind a decision that accepts: whether the client goes on. Its packets pass meanwhile. */
  #readOn(p: PacketContext, client: HalfStream): void {
    const { continuation, session } = this.judge;
    const { tcp } = p;
    const wasAwaited = continuation.isAwaited;
    const outcome = client.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, this.inspection.feedClient);
    const isDoubtful = outcome === SEGMENT.refused || outcome === SEGMENT.conflict;
    if (isDoubtful || client.next > this.#host.limits.bytesPerDirection) {
      if (wasAwaited) continuation.giveUp();
      session.giveUp();
    }
    if (wasAwaited && continuation.isSeen) this.#host.onContinued(this);
  }

  /** Early data would reach the server ahead of the decision. */
  #holdClient(p: PacketContext): void {
    const { limits } = this.#host;
    const start = this.#client!.offsetOf(p.tcp.seq);
    const end = start + p.tcp.dataLength;
    const held = (this.#heldOfClient ??= new HeldPackets());
    // The copy that waits stands for it.
    if (held.covers(start, end)) return this.#host.drop(p.packetId);
    if (held.count >= limits.heldPackets || !this.#host.mayHold()) {
      this.#host.count('heldPackets');
      return this.#host.drop(p.packetId);
    }
    held.add({ packetId: p.packetId, headers: copyHeaders(p.ip, p.tcp), isGso: p.isGso, start, end }, p.time);
    this.#host.onHeld(this);
  }

  #takeClient(now: number): HeldPacket[] {
    const packets = this.#heldOfClient?.takeAll(now) ?? [];
    if (packets.length > 0) this.#host.onReleased(packets.length);
    return packets;
  }

  #releaseClient(now: number): void {
    const packets = this.#takeClient(now);
    if (packets.length === 0) return;
    this.#gate!.onClientPacket();
    this.#forwarded = this.#client!.next;
    for (const packet of packets) this.#host.accept(packet.packetId);
  }

  /** The accept mark goes with a packet of the client's that acknowledges everything that the decision rests on. */
  #acceptFromClient(p: PacketContext): void {
    const { tcp } = p;
    const covers = tcp.has(TCP_FLAG.ack) && this.#server!.offsetOf(tcp.ack) >= this.#decisionPoint;
    const { session, continuation } = this.judge;
    const isSettled = this.phase === 'accepting' && covers && !session.isAwaited && !continuation.isAwaited;
    if (this.phase !== 'accepted' && !isSettled) return this.#host.accept(p.packetId);
    if (this.phase === 'accepting') this.#settle('accepted');
    this.#host.accept(p.packetId, this.#host.marks.accept(this.judge.ruling!.connmark));
  }

  #inspectServer(p: PacketContext): void {
    const { tcp } = p;
    const server = this.#server!;
    if (tcp.has(TCP_FLAG.ack)) this.#client!.acknowledge(tcp.ack);
    if (!this.#host.live) return this.#watch(p, server, this.inspection.feedServer);
    if (tcp.dataLength === 0) return this.#host.accept(p.packetId);
    const offset = server.offsetOf(tcp.seq);
    if (this.phase === 'accepting' && offset >= this.#decisionPoint) {
      this.#session!.onServerPacket(tcp);
      // Whoever only listens does not become a matter for ever.
      if (offset - this.#decisionPoint > this.#host.limits.bytesPerDirection) this.judge.continuation.giveUp();
      return this.#host.accept(p.packetId);
    }
    if (!this.#isFresh(p, offset)) return this.#host.drop(p.packetId);
    this.#gate!.beforeRead();
    const outcome = server.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, this.inspection.feedServer);
    if (outcome === SEGMENT.stale) return this.#host.accept(p.packetId);
    if (outcome === SEGMENT.refused) return this.#refuse(p);
    if (outcome === SEGMENT.conflict) return this.#onServerConflict(p);
    if (server.next > this.#host.limits.bytesPerDirection && this.judge.ruling === undefined) {
      this.#host.count('bytesPerDirection');
      this.judge.settleBy('parseError', 'limit', 'tcp.server.bytes');
    }
    this.#noteTaken(server);
    if (this.phase === 'inspecting' && this.judge.ruling !== undefined) this.#applyRuling(p.time, p);
    if (this.#is('denying') || this.#is('denied')) return;
    if (this.#is('accepting')) return this.#host.accept(p.packetId);
    this.#gate!.onServerPacket(p, offset, outcome);
    if (this.judge.waiting) this.#host.onWaits(this);
  }

  /** `p` is the server's packet that brought the decision, if one did: it is answered here only by a denial. */
  #applyRuling(now: number, p?: PacketContext): void {
    if (!this.#denies()) {
      this.phase = 'accepting';
      this.#decisionPoint = this.#server?.next ?? 0;
      this.#session?.begin(this.#decisionPoint);
      this.#releaseClient(now);
      this.#gate?.release(now);
      return this.#host.onDecided(this);
    }
    this.#startDenial(now, p);
    this.#host.onDecided(this);
  }

  #startDenial(now: number, p: PacketContext | undefined): void {
    const ruling = this.judge.ruling!;
    const gate = this.#gate;
    const held = gate?.takeHeld(now) ?? [];
    const heldOfClient = this.#takeClient(now);
    if (ruling.action === 'drop' || gate === undefined) {
      for (const packet of [...held, ...heldOfClient]) this.#host.drop(packet.packetId);
      if (p !== undefined) this.#host.drop(p.packetId, this.#denyMark());
      return this.#settle('denied');
    }
    const alert = alertFor(ruling.reason, this.inspection.recordVersion);
    const canRead = gate.atBoundary && this.inspection.begun && alert.length < gate.room;
    this.#denial = new Denial({
      alert: ruling.action === 'tls-alert' && canRead ? alert : null,
      room: gate.room,
      clientNext: this.#server!.seqOf(gate.delivered),
      serverNext: this.#client!.seqOf(this.#forwarded),
    });
    this.phase = 'denying';
    for (const packet of held) {
      if (this.#denial.owed) this.#denyTowardsClient(packet.packetId, vehicleOfHeld(packet));
      else this.#host.drop(packet.packetId);
    }
    for (const packet of heldOfClient) this.#answerClient(packet.packetId, vehicleOfHeld(packet));
    if (p === undefined || !this.#is('denying')) return;
    if (this.#denial.owed) this.#denyTowardsClient(p.packetId, vehicleOf(p));
    else this.#host.drop(p.packetId);
  }

  /** A server's packet while a denial is under way: what the client was let have before it may still have. */
  #denyServer(p: PacketContext): void {
    const { bytes, seq, dataStart, dataEnd } = p.tcp;
    const offset = this.#server!.offsetOf(seq);
    const known = Math.min(this.#gate!.delivered - offset, dataEnd - dataStart);
    const isLost =
      known > 0 &&
      offset >= 0 &&
      this.#server!.accept(seq, bytes, dataStart, dataStart + known, nobody) === SEGMENT.duplicate;
    if (isLost && known === dataEnd - dataStart) return this.#host.accept(p.packetId);
    const lost = isLost ? copyOf(bytes, dataStart, dataStart + known) : NOTHING;
    this.#denyTowardsClient(p.packetId, { ...vehicleOf(p), lost });
  }

  #denyTowardsClient(packetId: number, vehicle: Vehicle): void {
    const { payload } = this.#denial!.onPacketToClient(vehicle);
    if (payload === null) this.#host.drop(packetId);
    else this.#host.replace(packetId, payload);
  }

  #denyTowardsServer(p: PacketContext): void {
    if (p.tcp.has(TCP_FLAG.ack)) this.#server!.acknowledge(p.tcp.ack);
    this.#answerClient(p.packetId, vehicleOf(p));
  }

  #answerClient(packetId: number, vehicle: Vehicle): void {
    if (this.#denial === undefined) return this.#host.drop(packetId, this.#denyMark());
    const { payload, done } = this.#denial.onPacketToServer(vehicle);
    if (payload === null) return this.#host.drop(packetId);
    this.#host.replace(packetId, payload, done ? this.#denyMark() : undefined);
    if (done) this.#settle('denied');
  }

  /** A capture: nothing can be held back, so a packet only adds to what is shown. */
  #watch(p: PacketContext, stream: HalfStream, feed: StreamConsumer): void {
    this.#host.accept(p.packetId);
    this.#read(p, stream, feed);
  }

  #read(p: PacketContext, stream: HalfStream, feed: StreamConsumer): void {
    const { tcp } = p;
    if (this.inspection.isOpaque && beginsClientHello(tcp)) {
      // Some protocol that nobody here knows has turned to TLS.
      this.inspection.restart();
      this.openAt(tcp.seq, tcp.ack);
      return this.#read(p, this.#client!, this.inspection.feedClient);
    }
    const { session } = this.judge;
    const isRead = this.inspection.done && !session.isAwaited && !this.judge.isReading;
    if (tcp.dataLength === 0 || isRead) return;
    if (stream.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, feed) === SEGMENT.conflict) {
      this.judge.settleBy('parseError', 'overlap-conflict', 'tcp.conflict');
    }
    // In the order of the capture.
    if (session.isServerFinished) session.onDelivered(false);
    // Where only one direction was captured nothing is ever acknowledged.
    const { bytesPerDirection } = this.#host.limits;
    if (stream.next - stream.acked > bytesPerDirection) stream.acknowledge(stream.seqOf(stream.next));
    if (stream.next > bytesPerDirection) this.judge.settleBy('parseError', 'limit', 'tcp.bytes');
    if (this.decidedAt === 0 && this.judge.ruling !== undefined) this.decidedAt = p.time;
  }

  #onServerConflict(p: PacketContext): void {
    if (this.phase === 'inspecting') {
      this.judge.settleBy('parseError', 'overlap-conflict', 'tcp.server.conflict');
      if (this.#denies()) return this.#applyRuling(p.time, p);
    }
    this.#host.drop(p.packetId);
  }

  #refuse(p: PacketContext): void {
    this.#host.count('outOfOrderBytes');
    this.#host.drop(p.packetId);
  }

  /** RFC 7323 §5.3: what the receiver would drop for its age does not count. */
  #isFresh(p: PacketContext, offset: number): boolean {
    const { tcp } = p;
    if (!tcp.hasTimestamps) return true;
    if (!this.#timestamps!.acceptable(tcp.tsVal)) return false;
    this.#timestamps!.record(tcp.tsVal, offset <= this.#server!.acked);
    return true;
  }

  #settle(phase: 'accepted' | 'denied'): void {
    this.phase = phase;
    this.#client?.release();
    this.#server?.release();
    this.#denial = undefined;
    const { connmark } = this.judge.ruling!;
    const { marks } = this.#host;
    this.#host.onSettled(
      this,
      phase === 'accepted',
      phase === 'accepted' ? marks.accept(connmark) : marks.deny(connmark),
    );
  }

  #denyMark(): MarkChange {
    return this.#host.marks.deny(this.judge.ruling?.connmark ?? null);
  }

  /** For where a call may have changed the phase behind the compiler's back. */
  #is(phase: Phase): boolean {
    return this.phase === phase;
  }

  #denies(): boolean {
    return this.judge.ruling !== undefined && this.judge.ruling.action !== 'accept';
  }
}

function vehicleOf(p: PacketContext): Vehicle {
  return {
    headers: copyHeaders(p.ip, p.tcp),
    isGso: p.isGso,
    dataLength: p.tcp.dataLength,
    ack: p.tcp.ack,
    flags: p.tcp.flags,
    lost: NOTHING,
  };
}

function vehicleOfHeld(packet: HeldPacket): Vehicle {
  const { headers } = packet;
  const view = new DataView(headers.tcp.buffer, headers.tcp.byteOffset);
  return {
    headers,
    isGso: packet.isGso,
    dataLength: packet.end - packet.start,
    ack: view.getUint32(8),
    flags: headers.tcp[13]!,
    lost: NOTHING,
  };
}

/** Takes what is only compared. */
const nobody = (): void => undefined;
const NOTHING = new Uint8Array(0);
