/** Protocols whose messages say their length: gathers one frame at a time across chunks, up to a bound. */
export class FrameBuffer {
  readonly #lengthOf: (head: Uint8Array) => number;
  readonly #limit: number;
  #kept = new Uint8Array(64);
  #filled = 0;
  /** Octets of the whole frame; 0 until its head says so. */
  #length = 0;
  /** The frame that `take` completed: valid until the next `take`. */
  frame: Uint8Array = new Uint8Array(0);
  /** The head cannot be one of this protocol. Nothing is taken any more. */
  bad = false;
  /** The frame that `take` completed, or the one under way, is longer than is kept: `frame` holds its beginning. */
  overlong = false;

  /** `lengthOf`: octets of the frame that `head` begins; 0 when more of it is needed; -1 when it is none. */
  constructor(lengthOf: (head: Uint8Array) => number, limit = MAX_FRAME) {
    this.#lengthOf = lengthOf;
    this.#limit = limit;
  }

  /** Between two frames. */
  get idle(): boolean {
    return this.#filled === 0;
  }

  /** Reads from `from`; the offset behind the frame's end, -1 when the chunk ends before it or the head is bad. */
  take(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && !this.bad) {
      const wanted = this.#length === 0 ? 1 : Math.min(this.#length - this.#filled, bytes.length - at);
      this.#keep(bytes, at, wanted);
      this.#filled += wanted;
      at += wanted;
      if (this.#length === 0) {
        const length = this.#lengthOf(this.#kept.subarray(0, Math.min(this.#filled, this.#limit)));
        this.bad = length < 0 || (length > 0 && length < this.#filled);
        this.#length = length;
        this.overlong = length > this.#limit;
      }
      if (this.#length > 0 && this.#filled === this.#length) {
        this.frame = this.#kept.subarray(0, Math.min(this.#filled, this.#limit));
        this.#filled = 0;
        this.#length = 0;
        return at;
      }
    }
    return -1;
  }

  #keep(bytes: Uint8Array, at: number, length: number): void {
    const room = Math.min(length, this.#limit - this.#filled);
    if (room <= 0) return;
    if (this.#filled + room > this.#kept.length) {
      const larger = new Uint8Array(Math.min(this.#limit, (this.#filled + room) * 2));
      larger.set(this.#kept.subarray(0, this.#filled));
      this.#kept = larger;
    }
    this.#kept.set(bytes.subarray(at, at + room), this.#filled);
  }
}

/** Octets of a frame: far above what any preamble's own messages need. */
const MAX_FRAME = 4096;
