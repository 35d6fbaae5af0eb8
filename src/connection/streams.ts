/**
 * Both streams of an open connection: takes segments into them for the inspection, and tells the judge where they cannot
 * be read in one way only. Answers no packet: who may have one is for others to say.
 */
import type { PacketContext } from '../packet/context.ts';
import { TCP_FLAG, type TcpView } from '../packet/tcp.ts';
import { HalfStream, SEGMENT, type SegmentOutcome, type StreamConsumer } from '../tcp/half-stream.ts';
import type { PagePool } from '../tcp/page-pool.ts';
import { TimestampCheck } from '../tcp/timestamps.ts';
import type { Side } from '../tls/observed/listener.ts';
import type { Judge } from '../judge/judge.ts';
import type { Answers } from './answers.ts';
import type { Inspection } from './inspection.ts';
import type { Opened } from './opening.ts';
import { comesBy, isOneArmed, type Way } from './way.ts';

/** What looks into a connection. */
export interface Inspected {
  readonly judge: Judge;
  readonly inspection: Inspection;
}

export class Streams {
  readonly client: HalfStream;
  readonly server: HalfStream;
  /** Of the client's packets. */
  readonly way: Way;
  /** One interface leads to both ends. */
  isOneArmed: boolean;
  /** Client octets below this offset have been let go to the server without a gap. */
  forwarded = 0;
  /** Server octets below this offset are what the decision rests on. */
  decisionPoint = Infinity;
  readonly #pool: PagePool;
  /** What this costs besides, as long as it is in use. */
  #base = OPEN_COST;
  readonly #answers: Answers;
  readonly #judge: Judge;
  readonly #inspection: Inspection;
  /** For captures: offsets below which the other end has acknowledged everything, captured or not. */
  readonly #acknowledged: Record<Side, number> = { client: 0, server: 0 };
  readonly #timestamps = new TimestampCheck();

  constructor(answers: Answers, pool: PagePool, { judge, inspection }: Inspected, opened: Opened) {
    const { limits } = answers;
    this.#pool = pool;
    pool.charge(this.#base);
    this.#answers = answers;
    this.#judge = judge;
    this.#inspection = inspection;
    this.way = opened.way;
    this.isOneArmed = isOneArmed(opened.way);
    this.client = new HalfStream(opened.clientFirst, pool, limits);
    this.server = new HalfStream(opened.serverFirst, pool, limits);
  }

  /** Octets of memory that the connection uses, as the pool has them. */
  get memory(): number {
    return this.#base + this.client.memory + this.server.memory;
  }

  /** The client has acknowledged everything that the decision rests on. */
  get isCovered(): boolean {
    return this.server.acked >= this.decisionPoint;
  }

  /** It says that the client has said all, and everything ahead of it was read (RFC 9293 §3.6). */
  isLastOfClient(tcp: TcpView): boolean {
    return tcp.has(TCP_FLAG.fin) && this.client.offsetOf(tcp.seq) + tcp.dataLength <= this.client.next;
  }

  /** A packet of the server's. True where it is the first to show that one interface leads to both ends. */
  noteArm(p: PacketContext): boolean {
    if (this.isOneArmed || p.inIfindex !== this.way.inIfindex) return false;
    return (this.isOneArmed = true);
  }

  isFromClient(p: PacketContext): boolean {
    return comesBy(this.way, p, this.isOneArmed);
  }

  /** Octets of the client's that the server took with the SYN. */
  takeEarly(seq: number, octets: Uint8Array): void {
    this.client.accept(seq, octets, 0, octets.length, this.#inspection.feedClient);
    this.forwarded = this.client.next;
  }

  /** A segment of the client's while nothing is decided. False where nobody may have it. */
  takeFromClient(tcp: TcpView): boolean {
    const outcome = accept(this.client, tcp, this.#inspection.feedClient);
    if (outcome === SEGMENT.refused) return this.#refuse();
    if (outcome === SEGMENT.conflict) {
      this.#judge.settleBy('parseError', 'overlap-conflict', 'tcp.client.conflict');
      return this.#judge.denies;
    }
    this.#limit(this.client, 'tcp.client.bytes');
    return true;
  }

  /** A segment of the server's up to the decision. */
  takeFromServer(tcp: TcpView): SegmentOutcome {
    const outcome = accept(this.server, tcp, this.#inspection.feedServer);
    if (outcome === SEGMENT.refused) this.#refuse();
    if (outcome === SEGMENT.refused || outcome === SEGMENT.conflict || outcome === SEGMENT.stale) return outcome;
    this.#limit(this.server, 'tcp.server.bytes');
    this.noteTaken();
    return outcome;
  }

  /** The client logs a secret once it has what comes ahead of the records that the secret opens. */
  noteTaken(): void {
    const { sealedFrom } = this.#inspection;
    if (sealedFrom !== undefined && this.server.acked >= sealedFrom) this.#judge.onServerHelloTaken();
  }

  /** RFC 7323 §5.3: what the receiver would drop for its age does not count. */
  isFresh(tcp: TcpView, offset: number): boolean {
    if (!tcp.hasTimestamps) return true;
    if (!this.#timestamps.acceptable(tcp.tsVal)) return false;
    this.#timestamps.record(tcp.tsVal, offset <= this.server.acked);
    return true;
  }

  /** For captures: nothing more is read. */
  get isShown(): boolean {
    return this.#inspection.done && !this.#judge.session.isAwaited && !this.#judge.isReading;
  }

  /** A segment of a capture: nothing is held back. False where nothing of it is read. */
  watch(tcp: TcpView, side: Side): boolean {
    if (this.isShown) return false;
    const { session } = this.#judge;
    const [stream, other] = side === 'client' ? [this.client, 'server' as const] : [this.server, 'client' as const];
    this.#noteAcknowledged(tcp, other);
    if (tcp.dataLength === 0) return false;
    this.#passGaps(side, stream.offsetOf(tcp.seq));
    const feed = this.#feedOf(side);
    if (accept(stream, tcp, feed) === SEGMENT.conflict) {
      this.#judge.settleBy('parseError', 'overlap-conflict', 'tcp.conflict');
    }
    this.#passGaps(side);
    // In the order of the capture.
    if (session.isServerFinished) session.onDelivered(false);
    // Where only one direction was captured nothing is ever acknowledged.
    const { bytesPerDirection } = this.#answers.limits;
    if (stream.next - stream.acked > bytesPerDirection) stream.acknowledge(stream.seqOf(stream.next));
    if (stream.next > bytesPerDirection) this.#judge.settleBy('parseError', 'limit', 'tcp.bytes');
    return true;
  }

  /** Forgets them. */
  release(): void {
    this.client.release();
    this.server.release();
    this.#pool.charge(-this.#base);
    this.#base = 0;
  }

  #noteAcknowledged(tcp: TcpView, side: Side): void {
    if (!tcp.has(TCP_FLAG.ack) || tcp.has(TCP_FLAG.rst)) return;
    const offset = this[side].offsetOf(tcp.ack);
    // Farther ahead than anything is read, a number is somebody's invention.
    if (offset - this[side].next > this.#answers.limits.bytesPerDirection) return;
    this.#acknowledged[side] = Math.max(this.#acknowledged[side], offset);
    this.#passGaps(side);
  }

  /**
   * Octets that the other end has acknowledged, and that were not captured, do not come any more where others are there
   * behind them: reading goes on at `arriving`, or at what is stored.
   */
  #passGaps(side: Side, arriving = Infinity): void {
    const stream = this[side];
    for (;;) {
      const end = Math.min(stream.firstStored ?? Infinity, arriving);
      const lost = end - stream.next;
      if (lost <= 0 || end > this.#acknowledged[side]) return;
      this.#judge.onGap(side);
      this.#inspection.skip(side, lost);
      stream.skipTo(stream.seqOf(end));
      stream.resume(this.#feedOf(side));
    }
  }

  #feedOf(side: Side): StreamConsumer {
    return side === 'client' ? this.#inspection.feedClient : this.#inspection.feedServer;
  }

  #refuse(): false {
    this.#answers.count('outOfOrderBytes');
    return false;
  }

  #limit(stream: HalfStream, fault: string): void {
    if (stream.next <= this.#answers.limits.bytesPerDirection || this.#judge.ruling !== undefined) return;
    this.#answers.count('bytesPerDirection');
    this.#judge.settleBy('parseError', 'limit', fault);
  }
}

/** Octets of a connection's judge and readers, as measured. */
const OPEN_COST = 6 * 1024;

function accept(stream: HalfStream, tcp: TcpView, feed: StreamConsumer): SegmentOutcome {
  return stream.accept(tcp.seq, tcp.bytes, tcp.dataStart, tcp.dataEnd, feed);
}
