/**
 * The octets that CRYPTO frames of one direction carry (RFC 9000 §19.6), in order, whatever order they come in: what is
 * contiguous is delivered, what lies ahead of a gap waits. An octet has one value: a frame that gives it another one is a
 * fault. Bounded in octets and gaps; memory is what was received, never what an offset promises. Knows no TLS.
 */
import { copyOf } from '../bytes/copy.ts';
import { type Fault, misbehaved } from '../bytes/fault.ts';

/** A piece that follows the one before; valid only during the call. */
export type CryptoConsumer = (bytes: Uint8Array, start: number, end: number) => Fault | undefined;

export class CryptoStream {
  readonly #consume: CryptoConsumer;
  readonly #maxLength: number;
  /** What was delivered, for comparison. */
  #octets: Uint8Array = EMPTY;
  #length = 0;
  /** Ahead of the next octet: sorted, disjoint. */
  readonly #ahead: Piece[] = [];

  /** `maxLength`: octets of the stream that are read. */
  constructor(maxLength: number, consume: CryptoConsumer) {
    this.#maxLength = maxLength;
    this.#consume = consume;
  }

  /** Octets of memory that are in use. */
  get bufferedBytes(): number {
    return this.#ahead.reduce((sum, piece) => sum + piece.octets.length, this.#octets.length);
  }

  add(offset: number, data: Uint8Array): Fault | undefined {
    const end = offset + data.length;
    if (end > this.#maxLength) return misbehaved(CRYPTO_TOO_LONG, offset);
    if (!this.#agrees(offset, data)) return misbehaved('quic.crypto.conflict', offset);
    if (end <= this.#length) return undefined;
    if (!this.#keep(Math.max(offset, this.#length), data.subarray(Math.max(0, this.#length - offset)))) {
      return misbehaved('quic.crypto.too-many-gaps', offset);
    }
    return this.#deliver();
  }

  #agrees(offset: number, data: Uint8Array): boolean {
    const known = this.#octets.subarray(0, this.#length);
    if (!equalWhereBoth(0, known, offset, data)) return false;
    const end = offset + data.length;
    for (let index = this.#firstBehind(offset); index < this.#ahead.length; index++) {
      const piece = this.#ahead[index]!;
      if (piece.offset >= end) break;
      if (!equalWhereBoth(piece.offset, piece.octets, offset, data)) return false;
    }
    return true;
  }

  /** Of the pieces the first that ends behind an offset. */
  #firstBehind(offset: number): number {
    let low = 0;
    let high = this.#ahead.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (endOf(this.#ahead[middle]!) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** Adds what no piece has yet. False when there would be too many pieces. */
  #keep(offset: number, data: Uint8Array): boolean {
    const end = offset + data.length;
    let at = offset;
    for (let index = this.#firstBehind(at); at < end; index++) {
      const next = this.#ahead[index];
      const until = next === undefined ? end : Math.min(end, next.offset);
      if (until > at) {
        if (this.#ahead.length >= MAX_PIECES) return false;
        this.#ahead.splice(index, 0, { offset: at, octets: copyOf(data, at - offset, until - offset) });
      }
      at = next === undefined ? end : endOf(next);
    }
    return true;
  }

  #deliver(): Fault | undefined {
    const from = this.#length;
    while (this.#ahead[0]?.offset === this.#length) this.#append(this.#ahead.shift()!.octets);
    return this.#length === from ? undefined : this.#consume(this.#octets, from, this.#length);
  }

  #append(octets: Uint8Array): void {
    const length = this.#length + octets.length;
    if (length > this.#octets.length) {
      const grown = new Uint8Array(Math.max(length, this.#octets.length * 2));
      grown.set(this.#octets.subarray(0, this.#length));
      this.#octets = grown;
    }
    this.#octets.set(octets, this.#length);
    this.#length = length;
  }
}

interface Piece {
  readonly offset: number;
  readonly octets: Uint8Array;
}

function endOf(piece: Piece): number {
  return piece.offset + piece.octets.length;
}

function equalWhereBoth(aOffset: number, a: Uint8Array, bOffset: number, b: Uint8Array): boolean {
  const from = Math.max(aOffset, bOffset);
  const to = Math.min(aOffset + a.length, bOffset + b.length);
  for (let at = from; at < to; at++) if (a[at - aOffset] !== b[at - bOffset]) return false;
  return true;
}

/** The one fault here that is a limit and not an error of the peer's. */
export const CRYPTO_TOO_LONG = 'quic.crypto.too-long';
/** Browsers cut their hello into dozens of frames on purpose, in any order. */
const MAX_PIECES = 256;
const EMPTY = new Uint8Array(0);
