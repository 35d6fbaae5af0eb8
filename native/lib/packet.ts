/**
 * A packet that may be kept: a copy of its octets, what the kernel says of it, and its verdict, given now or later.
 * Knows its queue, and no protocol.
 */
import { FIELD, FLAG, NF_ACCEPT, NF_DROP, NF_REPEAT, type PacketBatch } from './batch.ts';
import type { VerdictOptions } from './verdict-rows.ts';

/** What a packet needs of its queue. */
export interface Judge {
  verdict(packetId: number, verdict: number, options?: VerdictOptions): void;
  flushSoon(): void;
}

export class Packet {
  /** The kernel's number of it in this queue. */
  readonly id: number;
  /** From its IP header on. */
  readonly payload: Buffer;
  /** Octets that it had in the kernel: more than `payload` has where it was cut. */
  readonly originalLength: number;
  /** The packet's mark. */
  readonly mark: number;
  /** The connection's mark; undefined where the kernel did not tell it. */
  readonly connmark: number | undefined;
  /** Conntrack's id of the connection; 0 where the kernel did not tell it. */
  readonly ctid: number;
  /** One of `HOOK`. */
  readonly hook: number;
  /** 0: none. */
  readonly inIfindex: number;
  /** 0: none. */
  readonly outIfindex: number;
  /** Bits of `FLAG`. */
  readonly flags: number;
  readonly #judge: Judge;
  #isDecided = false;

  constructor(judge: Judge, { slab, words }: PacketBatch, index: number) {
    const row = index * FIELD.ROW;
    const offset = words[row + FIELD.offset]!;
    this.#judge = judge;
    this.id = words[row + FIELD.packetId]!;
    this.payload = Buffer.from(slab.subarray(offset, offset + words[row + FIELD.length]!));
    this.originalLength = words[row + FIELD.originalLength]!;
    this.mark = words[row + FIELD.mark]!;
    this.flags = words[row + FIELD.flags]!;
    this.connmark = (this.flags & FLAG.hasConnmark) === 0 ? undefined : words[row + FIELD.connmark]!;
    this.ctid = words[row + FIELD.ctid]!;
    this.hook = words[row + FIELD.hook]!;
    this.inIfindex = words[row + FIELD.inIfindex]!;
    this.outIfindex = words[row + FIELD.outIfindex]!;
  }

  /** It goes on, changed as `options` say. */
  accept(options?: VerdictOptions): void {
    this.#decide(NF_ACCEPT, options);
  }

  drop(): void {
    this.#decide(NF_DROP);
  }

  /** It goes through the hook's chain once more, and comes back unless a rule there knows it (by its mark). */
  repeat(options?: VerdictOptions): void {
    this.#decide(NF_REPEAT, options);
  }

  #decide(verdict: number, options?: VerdictOptions): void {
    if (this.#isDecided) throw new Error(`packet ${this.id} has its verdict already`);
    this.#isDecided = true;
    this.#judge.verdict(this.id, verdict, options);
    this.#judge.flushSoon();
  }
}
