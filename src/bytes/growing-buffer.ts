/** Gathers octets that come in pieces: grows with what was received, never with what a length promises. */
export class GrowingBuffer {
  #bytes: Uint8Array = EMPTY;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array, start = 0, end = bytes.length): void {
    const length = this.#length + (end - start);
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2, MIN_SIZE));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** What was gathered, valid until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** The first octets are of no interest any more. */
  skip(count: number): void {
    if (count === 0) return;
    this.#bytes.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  /** What was gathered, as the taker's own; the buffer is empty then. */
  take(): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = EMPTY;
    this.#length = 0;
    return taken;
  }
}

const EMPTY = new Uint8Array(0);
const MIN_SIZE = 1024;
