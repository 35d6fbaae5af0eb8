/**
 * One direction of a connection, as offsets from its first octet (RFC 9293 §3.4: ISN + 1). Owns the rule that every
 * sequence number has one octet value until the peer has acknowledged it: copies are kept that long, and a segment that
 * differs from them is a conflict, whichever came first. Knows sequence space; not what the octets mean, not who may
 * have the packet.
 *
 *        acked            next                        next + outOfOrderBytes
 *   ───────┼───────────────┼──────────┬─────┬───────────────┼────
 *    stale │ copies kept   │  gap     │ kept│               │ refused
 *          │ (compared)    │          │ copy│               │
 */
import { Contigs } from './contigs.ts';
import { type PagePool, Pages } from './page-pool.ts';
import { seqAdd, seqDiff } from './sequence.ts';

/** What a segment was. */
export const SEGMENT = {
  /** It brought the next octets, and they were delivered. */
  delivered: 0,
  /** It lies ahead of a gap; a copy is kept. */
  stored: 1,
  /** Every octet was there before, with the same value. */
  duplicate: 2,
  /** Wholly below what the peer has acknowledged, whatever it says. */
  stale: 3,
  /** An octet differs from its copy. Nothing of the segment was taken. */
  conflict: 4,
  /** Further ahead than is kept, or one gap too many. Nothing of the segment was taken. */
  refused: 5,
} as const;
export type SegmentOutcome = (typeof SEGMENT)[keyof typeof SEGMENT];

export interface HalfStreamLimits {
  readonly outOfOrderBytes: number;
  readonly holes: number;
}

/** Takes octets in stream order; `bytes` is valid only during the call. */
export type StreamConsumer = (bytes: Uint8Array, start: number, end: number) => void;

export class HalfStream {
  readonly #pool: PagePool;
  readonly #pages: Pages;
  readonly #contigs: Contigs;
  readonly #limits: HalfStreamLimits;
  /** Sequence number of offset 0. */
  #origin: number;
  #next = 0;
  #acked = 0;
  /** Octets that were delivered: whoever took them may gather as many. */
  #delivered = 0;
  /** Octets from here on are neither kept nor compared. */
  #keepUntil = Infinity;

  constructor(firstSeq: number, pool: PagePool, limits: HalfStreamLimits) {
    this.#origin = firstSeq;
    this.#pool = pool;
    this.#pages = new Pages(pool);
    this.#contigs = new Contigs(limits.holes);
    this.#limits = limits;
  }

  /** RCV.NXT: all octets below this offset were delivered. */
  get next(): number {
    return this.#next;
  }

  /** Offset below which the peer has acknowledged everything. */
  get acked(): number {
    return this.#acked;
  }

  get gaps(): number {
    return this.#contigs.count;
  }

  get bufferedBytes(): number {
    return this.#pages.size;
  }

  /** Octets of memory that it has charged to the pool: its copies, and what its reader may have gathered. */
  get memory(): number {
    return this.#pages.cost + this.#delivered;
  }

  offsetOf(seq: number): number {
    return this.#next + seqDiff(seq, seqAdd(this.#origin, this.#next));
  }

  seqOf(offset: number): number {
    return seqAdd(this.#origin, offset);
  }

  /** Where the next gap ends if [offset, end) arrives: the new RCV.NXT, without taking anything. */
  nextAfter(offset: number, end: number): number {
    if (offset > this.#next || end <= this.#next) return this.#next;
    let reached = end;
    for (let i = 0; i < this.#contigs.count && this.#contigs.start(i) <= reached; i++) {
      reached = Math.max(reached, this.#contigs.end(i));
    }
    return reached;
  }

  /** Takes the octets bytes[start, end) that begin at `seq`; what becomes contiguous goes to `consume` at once. */
  accept(seq: number, bytes: Uint8Array, start: number, end: number, consume: StreamConsumer): SegmentOutcome {
    const offset = this.offsetOf(seq);
    const endOffset = offset + (end - start);
    if (endOffset <= this.#acked) return SEGMENT.stale;
    if (endOffset > this.#next + this.#limits.outOfOrderBytes && offset > this.#next) return SEGMENT.refused;
    if (this.#conflicts(offset, bytes, start, end)) return SEGMENT.conflict;
    if (offset <= this.#next) {
      if (endOffset <= this.#next) return SEGMENT.duplicate;
      this.#deliver(bytes, start + (this.#next - offset), end, consume);
      return SEGMENT.delivered;
    }
    for (let i = 0; i < this.#contigs.count; i++) {
      if (this.#contigs.start(i) <= offset && endOffset <= this.#contigs.end(i)) return SEGMENT.duplicate;
    }
    if (!this.#contigs.add(offset, endOffset)) return SEGMENT.refused;
    this.#pages.write(offset, bytes, start, end);
    return SEGMENT.stored;
  }

  /** The peer acknowledges everything before `ack`. False when it has octets that were never seen here. */
  acknowledge(ack: number): boolean {
    const offset = this.offsetOf(ack);
    // A FIN takes one number after the last octet.
    if (offset > this.#next + 1) return false;
    const covered = Math.min(offset, this.#next);
    if (covered > this.#acked) {
      this.#acked = covered;
      this.#pages.releaseBefore(covered);
    }
    return true;
  }

  /** From `offset` on octets no longer matter: they are neither kept nor compared. */
  keepUntil(offset: number): void {
    this.#keepUntil = offset;
  }

  /** Goes on at `seq`, past octets that nobody captured. For captures only: a live peer sends them again. */
  skipTo(seq: number): void {
    const offset = this.offsetOf(seq);
    if (offset <= this.#next) return;
    this.#next = offset;
    // What was skipped has no copies that a late segment could be compared with.
    this.#acked = offset;
    this.#pages.releaseBefore(offset);
  }

  /** Hands what lies ready at `next` to `consume`; only a skip leaves anything there. */
  resume(consume: StreamConsumer): void {
    const reached = this.#contigs.take(this.#next);
    if (reached === this.#next) return;
    this.#charge(reached - this.#next);
    this.#deliverStored(reached, consume);
  }

  /** Where the first range beyond the gap begins; undefined when nothing waits. */
  get firstStored(): number | undefined {
    return this.#contigs.count > 0 ? this.#contigs.start(0) : undefined;
  }

  /** Gives all memory back. The half-stream must not be used afterwards. */
  release(): void {
    this.#pages.releaseAll();
    this.#pool.charge(-this.#delivered);
    this.#delivered = 0;
  }

  #conflicts(offset: number, bytes: Uint8Array, start: number, end: number): boolean {
    const differs = (from: number, to: number): boolean => {
      const first = Math.max(from, offset, this.#acked);
      const last = Math.min(to, offset + (end - start), this.#keepUntil);
      return first < last && !this.#pages.equals(first, bytes, start + (first - offset), start + (last - offset));
    };
    if (differs(0, this.#next)) return true;
    for (let i = 0; i < this.#contigs.count; i++) {
      if (differs(this.#contigs.start(i), this.#contigs.end(i))) return true;
    }
    return false;
  }

  #deliver(bytes: Uint8Array, start: number, end: number, consume: StreamConsumer): void {
    const kept = Math.min(end, start + Math.max(0, this.#keepUntil - this.#next));
    this.#pages.write(this.#next, bytes, start, kept);
    this.#next += end - start;
    const reached = this.#contigs.take(this.#next);
    this.#charge(reached - this.#next + (end - start));
    consume(bytes, start, end);
    if (reached > this.#next) this.#deliverStored(reached, consume);
  }

  #deliverStored(reached: number, consume: StreamConsumer): void {
    const from = this.#next;
    this.#next = reached;
    this.#pages.read(from, reached, consume);
  }

  #charge(octets: number): void {
    this.#delivered += octets;
    this.#pool.charge(octets);
  }
}
