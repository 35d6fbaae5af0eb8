/**
 * A stream of octets cut into lines, each of them bounded: what is longer than that is told of, and nothing of it is
 * kept. Knows no JSON.
 */
export class LineReader {
  readonly #limit: number;
  #pieces: Buffer[] = [];
  #length = 0;
  #isTooLong = false;

  /** `limit`: octets of a line without its end. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether a line has begun and not ended. */
  get isPartial(): boolean {
    return this.#length > 0;
  }

  /** A line was longer than allowed: nothing more is read. */
  get isTooLong(): boolean {
    return this.#isTooLong;
  }

  /** The lines that these octets complete, in order. */
  feed(bytes: Buffer): string[] {
    const lines: string[] = [];
    for (let at = 0; at < bytes.length && !this.#isTooLong;) {
      const end = bytes.indexOf(NEWLINE, at);
      this.#add(bytes.subarray(at, end < 0 ? bytes.length : end));
      if (end < 0) break;
      if (!this.#isTooLong) lines.push(this.#take());
      at = end + 1;
    }
    return lines;
  }

  /** What was begun and will not be ended; undefined when nothing was. */
  end(): string | undefined {
    return this.isPartial && !this.#isTooLong ? this.#take() : undefined;
  }

  #add(piece: Buffer): void {
    this.#length += piece.length;
    if (this.#length > this.#limit) {
      this.#isTooLong = true;
      this.#pieces = [];
    } else if (piece.length > 0) {
      this.#pieces.push(Buffer.from(piece));
    }
  }

  #take(): string {
    const line = Buffer.concat(this.#pieces).toString('utf8');
    this.#pieces = [];
    this.#length = 0;
    return line.endsWith('\r') ? line.slice(0, -1) : line;
  }
}

const NEWLINE = 0x0a;
