/** The sending half of a TCP: what was said, how much of it has been sent, and in pieces of which sizes. */
import { seqDiff } from '../../src/tcp/sequence.ts';

export interface Piece {
  readonly index: number;
  readonly offset: number;
  readonly data: Buffer;
}

export class Sender {
  sent = 0;
  readonly #first: number;
  readonly #sizes: readonly number[];
  #octets = Buffer.alloc(0);
  #count = 0;

  constructor(first: number, sizes: readonly number[]) {
    this.#first = first;
    this.#sizes = sizes.length > 0 ? sizes : [MSS];
  }

  get isDone(): boolean {
    return this.sent === this.#octets.length;
  }

  add(octets: Buffer): void {
    if (octets.length > 0) this.#octets = Buffer.concat([this.#octets, octets]);
  }

  slice(from: number, to: number): Buffer {
    return this.#octets.subarray(from, to);
  }

  next(): Piece | undefined {
    if (this.isDone) return undefined;
    const index = this.#count++;
    // Small pieces all through a long flight would take all day.
    const size = index > 64 ? MSS : this.#sizes[index % this.#sizes.length]!;
    const offset = this.sent;
    const data = this.#octets.subarray(offset, offset + size);
    this.sent += data.length;
    return { index, offset, data };
  }

  *unacknowledged(acknowledged: number): Iterable<Piece> {
    for (let at = Math.max(0, seqDiff(acknowledged, this.#first)); at < this.sent; at += MSS) {
      yield { index: -1, offset: at, data: this.#octets.subarray(at, Math.min(at + MSS, this.sent)) };
    }
  }
}

const MSS = 1400;
