/**
 * A sticky reader of big-endian structures: after an overrun every read yields 0 or an empty span and `ok` is false,
 * so a parser checks once, at its end. It never throws, never copies and never allocates by a length that was promised.
 */
export class ByteReader {
  readonly bytes: Uint8Array;
  #at: number;
  readonly #end: number;
  #ok = true;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** False once any read went past the end. */
  get ok(): boolean {
    return this.#ok;
  }

  /** Offset of the next octet in `bytes`. */
  get at(): number {
    return this.#at;
  }

  get remaining(): number {
    return this.#end - this.#at;
  }

  /** True while a further element can begin. */
  more(): boolean {
    return this.#ok && this.#at < this.#end;
  }

  /** True when everything was read and nothing overran. */
  atEnd(): boolean {
    return this.#ok && this.#at === this.#end;
  }

  u8(): number {
    const at = this.#take(1);
    return at < 0 ? 0 : this.bytes[at]!;
  }

  u16(): number {
    const at = this.#take(2);
    return at < 0 ? 0 : (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  u24(): number {
    const at = this.#take(3);
    return at < 0 ? 0 : (this.bytes[at]! << 16) | (this.bytes[at + 1]! << 8) | this.bytes[at + 2]!;
  }

  u32(): number {
    const at = this.#take(4);
    if (at < 0) return 0;
    const b = this.bytes;
    return ((b[at]! << 24) | (b[at + 1]! << 16) | (b[at + 2]! << 8) | b[at + 3]!) >>> 0;
  }

  skip(length: number): void {
    this.#take(length);
  }

  /** A view, not a copy, of the next `length` octets; empty after an overrun. */
  span(length: number): Uint8Array {
    const at = this.#take(length);
    return at < 0 ? EMPTY : this.bytes.subarray(at, at + length);
  }

  /** Everything that is left. */
  rest(): Uint8Array {
    return this.span(this.remaining);
  }

  /** A reader that cannot escape the next `length` octets. */
  sub(length: number): ByteReader {
    const at = this.#take(length);
    if (at >= 0) return new ByteReader(this.bytes, at, at + length);
    const empty = new ByteReader(EMPTY);
    empty.#ok = false;
    return empty;
  }

  vector8(): ByteReader {
    return this.sub(this.u8());
  }

  vector16(): ByteReader {
    return this.sub(this.u16());
  }

  vector24(): ByteReader {
    return this.sub(this.u24());
  }

  #take(length: number): number {
    if (!this.#ok || length < 0 || length > this.#end - this.#at) {
      this.#ok = false;
      return -1;
    }
    const at = this.#at;
    this.#at += length;
    return at;
  }
}

const EMPTY = new Uint8Array(0);
