/**
 * Which of the server's octets the client may have. Lets packets go or has them wait, so that nothing becomes contiguous
 * for the client past the decision before the decision, and knows how far the client's stream reaches without a gap:
 * there an alert can be read. What is decided, and when, is not its business.
 *
 *   holding ahead   the first flight waits as a whole, so that an alert can take its place; a short while only, since
 *                   a small window would stall
 *   waiting         only what completes the question waits, until the answer from outside is there; where the answer is
 *                   a secret that the client logs, what comes ahead of the encrypted octets goes, cut off a packet
 *   a preamble      a server goes as far as its client has asked: what is ahead does not wait, since it comes again
 */
import { copyHeaders, rewriteSegment } from '../packet/rewrite.ts';
import { TCP_FLAG } from '../packet/tcp.ts';
import { type HalfStream, SEGMENT, type SegmentOutcome } from '../tcp/half-stream.ts';
import type { Answers } from './answers.ts';
import type { HeldPackets } from './held.ts';
import type { Inspection } from './inspection.ts';
import type { Judge } from '../judge/judge.ts';
import type { PacketContext } from '../packet/context.ts';
import type { Inspected } from './streams.ts';

export class Gate {
  readonly #answers: Answers;
  readonly #server: HalfStream;
  readonly #judge: Judge;
  readonly #inspection: Inspection;
  readonly #held: HeldPackets;
  /** Octets below this offset have been let go without a gap. */
  #delivered = 0;
  /** The last offset that a record was known to begin at when all ahead of it was let go, and something followed. */
  #boundary = -1;
  /** The first octet that was let go behind the gap that follows those: the client has it, and waits for the gap. */
  #deliveredAhead = Infinity;
  #holdsAhead = false;
  #mayHoldAhead = true;
  #lastOctet = 0;

  constructor(answers: Answers, server: HalfStream, { judge, inspection }: Inspected, held: HeldPackets) {
    this.#answers = answers;
    this.#server = server;
    this.#judge = judge;
    this.#inspection = inspection;
    this.#held = held;
  }

  /** Offset of what the client expects next. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Octets that fit in front of what the client has already. */
  get room(): number {
    return this.#deliveredAhead - this.#delivered;
  }

  /** Whether the client would read a record that comes next as a record. */
  get atBoundary(): boolean {
    return this.#server.next === this.#delivered
      ? this.#inspection.serverAtBoundary
      : this.#boundary === this.#delivered;
  }

  /** The client has spoken: from now on, while a denial may come, the server's flight waits as a whole. */
  onClientPacket(): void {
    this.#holdsAhead = this.#mayHoldAhead && this.#judge.mayDeny;
  }

  /** Ahead of each segment of the server's that is read. */
  beforeRead(): void {
    if (this.#server.next === this.#delivered && this.#inspection.serverAtBoundary) this.#boundary = this.#delivered;
  }

  /** Answers a segment that was read and brought no ruling, or has it wait. */
  onServerPacket(p: PacketContext, offset: number, outcome: SegmentOutcome): void {
    if (outcome !== SEGMENT.duplicate) this.#lastOctet = p.time;
    if (this.#held.count > 0 && (this.#judge.awaitsClient || !this.#holdsAhead)) this.release(p.time);
    const end = offset + p.tcp.dataLength;
    const mayGo = this.#mayGo(offset, end);
    if (end > this.#delivered && (!mayGo || (this.#holdsAhead && !this.#judge.awaitsClient))) {
      const isRepeated = this.#held.covers(offset, end);
      if (!mayGo && this.#mayCut(p, offset)) return this.#deliverPermitted(p, offset);
      // The copy that waits stands for it; and a server that is ahead of its client sends again.
      if (!mayGo && (isRepeated || this.#inspection.isPreamble)) return this.#answers.drop(p.packetId);
      if (!isRepeated) return this.#hold(p, offset, end);
      this.#stopHoldingAhead(p.time);
    }
    this.#go(offset, end);
    this.#answers.accept(p.packetId);
    if (this.#held.count > 0 && this.#judge.mayAwaitSecret) this.release(p.time);
  }

  /**
   * Whether nothing becomes contiguous for the client, with these octets, but what is permitted. Ahead of a gap nothing
   * does: what closes the gap is asked about all that follows.
   */
  #mayGo(start: number, end: number): boolean {
    const { next } = this.#server;
    // Octets that are ahead would let the ServerHello close the gap to encrypted ones.
    if (start > this.#delivered && this.#judge.mayAwaitSecret) return false;
    if (start > next) return !this.#judge.waiting;
    const reach = end >= this.#deliveredAhead ? next : end;
    return reach <= this.#limit();
  }

  /** These octets are on their way to the client. */
  #go(start: number, end: number): void {
    if (start > this.#delivered) this.#deliveredAhead = Math.min(this.#deliveredAhead, start);
    else if (end >= this.#deliveredAhead) this.#closeGap();
    else this.#delivered = Math.max(this.#delivered, end);
  }

  /** The first octet that must not become contiguous for the client. */
  #limit(): number {
    return this.#judge.ruling?.action === 'accept' ? Infinity : this.#inspection.permission.offset;
  }

  /**
   * The client has to have what comes ahead of the encrypted records to log the secret, and the answers to what it has
   * said to go on. A super-packet cannot be shortened; what the server sends again is none. Where octets behind a gap have
   * gone already, it must not close it.
   */
  #mayCut(p: PacketContext, offset: number): boolean {
    const { sealedFrom, isPreamble } = this.#inspection;
    if (p.isGso || (sealedFrom === undefined && !isPreamble) || this.#limit() >= this.#deliveredAhead) return false;
    // What the client has not acknowledged may have been lost.
    return offset <= this.#delivered && offset < this.#limit() && this.#server.acked < this.#limit();
  }

  /** The rest of the packet is lost; the server sends it again. */
  #deliverPermitted(p: PacketContext, offset: number): void {
    const { bytes, seq, ack, dataStart } = p.tcp;
    this.#delivered = this.#limit();
    const payload = bytes.subarray(dataStart, dataStart + this.#delivered - offset);
    const flags = TCP_FLAG.psh | TCP_FLAG.ack;
    const headers = copyHeaders(p.ip, p.tcp);
    this.#answers.replace(p.packetId, rewriteSegment(headers, { seq, ack, flags, payload, keepOptions: true }));
  }

  /** An answer from outside has come, and no ruling with it. */
  onAnswer(now: number): void {
    if (!this.#judge.waiting && !this.#holdsAhead) this.release(now);
  }

  /** When `onTime` wants to be called while nothing from outside is awaited, in microseconds. */
  deadline(): number {
    const isTimed = this.#held.count > 0 && this.#holdsAhead;
    return isTimed ? this.#lastOctet + this.#answers.limits.heldAheadTime * 1000 : Infinity;
  }

  /** The first flight has waited long enough. */
  onTime(now: number): void {
    this.#stopHoldingAhead(now);
  }

  /** Of what waits, everything goes that the client may have. */
  release(now: number): void {
    this.#inspection.permit();
    this.#held.offer(now, ({ packetId, start, end }) => {
      if (!this.#mayGo(start, end)) return false;
      this.#go(start, end);
      this.#answers.accept(packetId);
      return true;
    });
  }

  /** Past the limits of the first flight everything but what completes the decision goes; past the others it is dropped. */
  #hold(p: PacketContext, start: number, end: number): void {
    if (!this.#held.hold(p, start, end)) return;
    const { limits } = this.#answers;
    const isFull = this.#held.count >= limits.heldAheadPackets || this.#held.bytes > limits.heldAheadBytes;
    if (isFull && this.#holdsAhead && !this.#judge.waiting) this.#stopHoldingAhead(p.time);
  }

  #stopHoldingAhead(now: number): void {
    this.#holdsAhead = false;
    this.#mayHoldAhead = false;
    this.release(now);
  }

  /** A gap is closed: what was let go ahead of it counts, as far as it was permitted. */
  #closeGap(): void {
    this.#delivered = Math.min(this.#server.next, this.#limit());
    this.#deliveredAhead = this.#server.firstStored ?? Infinity;
  }
}
