/**
 * One connection between its SYN and its decision: answers each packet by the phase that it is in. What its segments say
 * is read by Streams for the inspection; the ruling is the judge's; what the client may have before there is one is
 * Gate's; carrying a denial out is Denying's.
 *
 *   opening ──client's ACK──▶ inspecting ──accept──▶ accepting ──client ACKs past the decision──▶ accepted (mark)
 *                                  └───────deny───▶ denying ───both ends know─────────────────▶ denied   (mark)
 */
import { TCP_FLAG } from '../packet/tcp.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { SEGMENT } from '../tcp/half-stream.ts';
import type { PagePool } from '../tcp/page-pool.ts';
import type { Side } from '../tls/observed/listener.ts';
import type { Answers } from './answers.ts';
import { Anteroom } from './anteroom.ts';
import { Denying } from './denial/denying.ts';
import { Gate } from './gate.ts';
import { HeldPackets } from './held.ts';
import type { Inspection } from './inspection.ts';
import type { VerdictEvent } from '../judge/events.ts';
import type { Judge } from '../judge/judge.ts';
import type { HalfOpen } from './half-open.ts';
import { openedAt, type Opened } from './opening.ts';
import type { PacketContext } from '../packet/context.ts';
import { beginsClientHello } from './pick-up.ts';
import { ReadingOn } from './reading-on.ts';
import type { Roles } from './roles.ts';
import { type Inspected, Streams } from './streams.ts';
import { type Phase, TrackedConnection } from './tracked.ts';
import type { Waiter } from './waiting.ts';

/** What a connection asks of the engine. */
export interface ConnectionHost {
  readonly answers: Answers;
  /** Makes what looks into the connection, once it is open: a SYN alone must stay cheap. */
  inspect(connection: Connection): Inspected;
  readonly pool: PagePool;
  readonly live: boolean;
  /** A packet or an answer from outside is waited for, and that has a deadline. */
  onWaits(connection: Connection): void;
  /** The client believes what it was shown of a server that is recorded. Called once, behind `onDecided`. */
  onContinued(connection: Connection): void;
  /** Where anybody can doubt who is the client, who finds out. */
  doubt(connection: Connection): Roles | undefined;
  /** The ruling is there. Called once. */
  onDecided(connection: Connection): void;
  /** The mark is written, or is with the next packet (not `isMarked`: of the client's): the kernel sees to the rest. Called once, after `onDecided`. */
  onSettled(connection: Connection, isAccepted: boolean, isMarked: boolean): void;
}

export class Connection extends TrackedConnection implements Waiter {
  isWaiting = false;
  readonly #host: ConnectionHost;
  readonly #answers: Answers;
  #inspected: Inspected | undefined;
  #streams: Streams | undefined;
  #gate: Gate | undefined;
  #held: HeldPackets | undefined;
  #anteroom: Anteroom | undefined;
  #readingOn: ReadingOn | undefined;
  readonly #roles: Roles | undefined;
  #denying: Denying | undefined;
  #isAbandoned = false;

  constructor(host: ConnectionHost, begun: HalfOpen, subject: FlowSubject, now: number) {
    super(begun, subject, now);
    this.#host = host;
    this.#answers = host.answers;
    this.#roles = host.doubt(this);
    if (this.opening.selected !== undefined) this.#start(this.opening.selected);
  }

  get judge(): Judge {
    return this.#inspect().judge;
  }

  get inspection(): Inspection {
    return this.#inspect().inspection;
  }

  /** Packets that wait, and how long any have waited so far, in microseconds. */
  get heldCount(): number {
    return (this.#held?.count ?? 0) + (this.#anteroom?.count ?? 0);
  }

  get heldMicros(): number {
    return Math.max(this.#held?.totalMicros ?? 0, this.#anteroom?.totalMicros ?? 0);
  }

  get patience(): number {
    return this.#inspected?.judge.patience ?? 0;
  }

  get isOpen(): boolean {
    return this.#streams !== undefined || this.told !== undefined;
  }

  /** Of a capture: it is decided, and nothing of what may still come is read. */
  get isShown(): boolean {
    return this.decidedAt > 0 && this.phase === 'inspecting' && !this.inspection.isOpaque && this.#streams!.isShown;
  }

  /** Nothing is left to decide: a client that has nothing to say for long loses nothing by it. */
  get mayRest(): boolean {
    if (this.phase !== 'accepting') return false;
    return this.judge.continuation.wasAsked || this.judge.session.isAwaited || (this.#roles?.isDoubtful ?? false);
  }

  /** Octets of memory, as the limit `bufferBytes` counts them. */
  get memory(): number {
    return this.#streams?.memory ?? 0;
  }

  tell(record: VerdictEvent | null): void {
    this.abandon(this.lastSeen);
    this.told = record;
    this.#inspected = this.#streams = undefined;
  }

  /** A segment that is not a SYN, from the client. */
  onClientPacket(p: PacketContext): void {
    this.touch(p.time);
    const opened = this.#streams === undefined ? this.opening.openedBy(p, this.#host.live) : undefined;
    if (opened !== undefined) this.#start(opened);
    if (this.#streams === undefined) {
      // RFC 9293 §3.10.7.3: a client refuses a SYN/ACK that it did not ask for with a reset.
      return p.tcp.has(TCP_FLAG.rst) ? this.#answers.accept(p.packetId) : this.#answers.drop(p.packetId);
    }
    if (this.#host.live && !this.#streams.isFromClient(p)) return this.#onAnother(p);
    this.note(p, true);
    switch (this.phase) {
      case 'accepted':
        return this.#acceptFromClient(p);
      case 'denying':
        return this.#denyClient(p);
      case 'denied':
        return this.#answers.drop(p.packetId, this.#denyMark());
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
    this.note(p, false);
    if (this.#streams === undefined) {
      // Until the client has answered the SYN/ACK nobody knows where its stream begins.
      const opened = this.#host.live ? undefined : this.opening.latest;
      if (opened === undefined) {
        return p.tcp.dataLength === 0 ? this.#answers.accept(p.packetId) : this.#answers.drop(p.packetId);
      }
      this.#start(opened);
    }
    if (this.#host.live && this.#streams!.noteArm(p)) this.#answers.onOneArmed();
    switch (this.phase) {
      case 'accepted':
        return this.#answers.accept(p.packetId);
      case 'denying':
        return this.#denying!.onServerPacket(p);
      case 'denied':
        return this.#answers.drop(p.packetId, this.#denyMark());
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
    this.#start(openedAt(clientFirst, serverFirst));
  }

  /** An answer from outside has come for the judge. */
  onSettled(now: number): void {
    if (this.phase !== 'inspecting' || this.#isAbandoned) return;
    if (this.judge.ruling !== undefined) return this.#applyRuling(now);
    if (this.#anteroom?.isOpen) this.#letClientGo(now);
    this.#gate?.onAnswer(now);
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

  /** The client has acknowledged all that an accepting decision rests on: what else was awaited of it is let go. */
  settleIfCovered(): void {
    if (this.phase !== 'accepting' || this.#streams === undefined || this.#roles?.isDoubtful) return;
    if (this.#streams.isCovered) this.#settle('accepted', false);
  }

  /** Answers everything that waits, and forgets the streams. What is settled later has no connection any more. */
  abandon(now: number): void {
    this.#isAbandoned = true;
    this.endPassing();
    this.#inspected?.judge.close();
    for (const packet of this.#held?.takeAll(now) ?? []) this.#answers.drop(packet.packetId);
    for (const packet of this.#anteroom?.takeAll(now) ?? []) this.#answers.drop(packet.packetId);
    this.#streams?.release();
  }

  #inspect(): Inspected {
    return (this.#inspected ??= this.#host.inspect(this));
  }

  #start(opened: Opened): void {
    const answers = this.#answers;
    const inspected = this.#inspect();
    this.#streams = new Streams(answers, this.#host.pool, inspected, opened);
    if (this.#host.live) {
      if (this.#streams.isOneArmed) answers.onOneArmed();
      const onHeld = () => this.#host.onWaits(this);
      this.#held = new HeldPackets(answers, onHeld);
      this.#anteroom = new Anteroom(answers, inspected.judge, this.#streams, onHeld);
      this.#gate = new Gate(answers, this.#streams.server, inspected, this.#held);
      this.#readingOn = new ReadingOn(this.#streams, inspected, answers.limits.bytesPerDirection);
    }
    this.phase = 'inspecting';
    if (opened.earlyOctets.length > 0) this.#streams.takeEarly(opened.clientFirst, opened.earlyOctets);
  }

  /** It is the client's by its network address alone: what is decided may go on by another router, what is not waits. */
  #onAnother(p: PacketContext): void {
    const isDecided = this.phase === 'accepting' || this.phase === 'accepted';
    if (isDecided && p.inIfindex === this.#streams!.way.inIfindex) this.#answers.accept(p.packetId);
    else this.#answers.drop(p.packetId);
  }

  #inspectClient(p: PacketContext): void {
    const { tcp } = p;
    const streams = this.#streams!;
    const inOrder = !tcp.has(TCP_FLAG.ack) || streams.server.acknowledge(tcp.ack);
    if (!this.#host.live) return this.#watch(p, 'client');
    if (this.phase === 'inspecting') streams.noteTaken();
    if (!inOrder && this.phase === 'inspecting') {
      // It has octets that never came by: one direction takes another way, and nothing here can be sure.
      this.judge.settleBy('incomplete', 'incomplete', 'tcp.unseen-octets');
    }
    const isRead = tcp.dataLength > 0 && this.phase === 'inspecting' && this.judge.ruling === undefined;
    if (isRead && !streams.takeFromClient(tcp)) return this.#answers.drop(p.packetId);
    if (this.phase === 'inspecting' && this.judge.ruling !== undefined) this.#applyRuling(p.time);
    if (this.#is('denying')) return this.#denyClient(p);
    if (this.#is('denied')) return this.#answers.drop(p.packetId, this.#denyMark());
    if (this.#anteroom!.keeps(p)) return;
    if (!this.judge.holdsClient) this.#letClientGo(p.time);
    this.#gate!.onClientPacket();
    if (this.phase === 'accepting' && this.#readingOn!.onClientPacket(tcp)) this.#host.onContinued(this);
    streams.forwarded = Math.max(streams.forwarded, streams.client.next);
    this.#acceptFromClient(p);
  }

  #letClientGo(now: number): void {
    if (this.#anteroom?.release(now)) this.#gate!.onClientPacket();
  }

  /** The accept mark goes with a packet of the client's, once it has acknowledged everything that the decision rests on. */
  #acceptFromClient(p: PacketContext): void {
    const { session, continuation } = this.judge;
    const hasSaidAll = this.isClientSilent || this.#streams?.isLastOfClient(p.tcp);
    const isAwaited = !hasSaidAll && (session.isAwaited || continuation.isAwaited);
    const isSettled = this.phase === 'accepting' && this.#streams!.isCovered && !isAwaited && !this.#roles?.isDoubtful;
    if (this.phase !== 'accepted' && !isSettled) return this.#answers.accept(p.packetId);
    if (this.phase === 'accepting') this.#settle('accepted');
    this.#answers.accept(p.packetId, this.#answers.marks.accept(this.judge.ruling!.connmark));
  }

  #inspectServer(p: PacketContext): void {
    const { tcp } = p;
    const streams = this.#streams!;
    if (tcp.has(TCP_FLAG.ack)) streams.client.acknowledge(tcp.ack);
    if (!this.#host.live) return this.#watch(p, 'server');
    if (tcp.dataLength === 0) return this.#answers.accept(p.packetId);
    const offset = streams.server.offsetOf(tcp.seq);
    if (this.#roles?.onServerPacket(p, offset, streams.way.outIfindex)) return this.#denyReversed(p);
    if (this.phase === 'accepting' && offset >= streams.decisionPoint) {
      this.#readingOn!.onServerPacket(tcp, offset);
      return this.#answers.accept(p.packetId);
    }
    if (!streams.isFresh(tcp, offset)) return this.#answers.drop(p.packetId);
    this.#gate!.beforeRead();
    const outcome = streams.takeFromServer(tcp);
    if (outcome === SEGMENT.stale) return this.#answers.accept(p.packetId);
    if (outcome === SEGMENT.refused) return this.#answers.drop(p.packetId);
    if (outcome === SEGMENT.conflict) return this.#onServerConflict(p);
    if (this.phase === 'inspecting' && this.judge.ruling !== undefined) this.#applyRuling(p.time, p);
    if (this.#is('denying') || this.#is('denied')) return;
    if (this.#is('accepting')) return this.#answers.accept(p.packetId);
    this.#gate!.onServerPacket(p, offset, outcome);
    if (this.judge.waiting) this.#host.onWaits(this);
  }

  #onServerConflict(p: PacketContext): void {
    if (this.phase === 'inspecting') {
      this.judge.settleBy('parseError', 'overlap-conflict', 'tcp.server.conflict');
      if (this.judge.denies) return this.#applyRuling(p.time, p);
    }
    this.#answers.drop(p.packetId);
  }

  /** A capture: nothing can be held back, so a packet only adds to what is shown. */
  #watch(p: PacketContext, side: Side): void {
    const { tcp } = p;
    this.#answers.accept(p.packetId);
    // Some protocol that nobody here knows has turned to TLS.
    const isTurn = this.inspection.isOpaque && beginsClientHello(tcp);
    if (isTurn) {
      this.inspection.restart();
      this.openAt(tcp.seq, tcp.ack);
    }
    if (!this.#streams!.watch(tcp, isTurn ? 'client' : side)) return;
    if (this.decidedAt === 0 && this.judge.ruling !== undefined) this.decidedAt = p.time;
  }

  /** `p` is the server's packet that brought the decision, if one did: it is answered here only by a denial. */
  #applyRuling(now: number, p?: PacketContext): void {
    if (this.judge.denies) this.#startDenial(now, p);
    else this.#startAccepting(now);
    this.#host.onDecided(this);
  }

  #startAccepting(now: number): void {
    this.phase = 'accepting';
    if (this.#streams !== undefined) this.#streams.decisionPoint = this.#streams.server.next;
    this.#readingOn?.begin();
    this.#letClientGo(now);
    this.#gate?.release(now);
  }

  #startDenial(now: number, p: PacketContext | undefined): void {
    const ruling = this.judge.ruling!;
    const held = this.#held?.takeAll(now) ?? [];
    const heldOfClient = this.#anteroom?.takeAll(now) ?? [];
    if (ruling.action === 'drop' || this.#gate === undefined) {
      for (const packet of [...held, ...heldOfClient]) this.#answers.drop(packet.packetId);
      if (p !== undefined) this.#answers.drop(p.packetId, this.#denyMark());
      return this.#settle('denied');
    }
    this.phase = 'denying';
    this.#denying = new Denying({
      answers: this.#answers,
      streams: this.#streams!,
      gate: this.#gate,
      inspection: this.inspection,
      ruling,
      mark: () => this.#denyMark(),
    });
    this.#denying.begin(held, heldOfClient, p);
    if (this.#denying.isDone) this.#settle('denied');
  }

  /** The server is the client: nothing of it was judged, and nothing more goes. */
  #denyReversed(p: PacketContext): void {
    this.abandon(p.time);
    this.#answers.drop(p.packetId, this.#denyMark());
    this.#settle('denied');
  }

  #denyClient(p: PacketContext): void {
    this.#denying!.onClientPacket(p);
    if (this.#denying!.isDone) this.#settle('denied');
  }

  #settle(phase: 'accepted' | 'denied', isMarked = true): void {
    this.phase = phase;
    this.#streams?.release();
    this.#denying = undefined;
    this.#host.onSettled(this, phase === 'accepted', isMarked);
  }

  #denyMark() {
    return this.#answers.marks.deny(this.judge.ruling?.connmark ?? null);
  }

  /** For where a call may have changed the phase behind the compiler's back. */
  #is(phase: Phase): boolean {
    return this.phase === phase;
  }
}
