/**
 * Every way in which a client may read datagrams of DTLS at once (RFC 6347 §4.1.2.7 lets receivers pass over what is
 * invalid, and says not how): what it does not want it leaves as a whole, at its header as OpenSSL does, or octet by octet.
 * Says whether
 * any of these readers could have put a message together.
 */
export class DtlsReaders {
  /** By message_seq: which octets of the message that is looked for are there. */
  readonly #found = new Map<number, Set<number>>();
  /** The message_seq of messages of other types that something came of. */
  readonly #others = new Set<number>();
  readonly #message: Buffer;

  /** `message`: of TLS, with its header of four octets. */
  constructor(message: Buffer) {
    this.#message = message;
  }

  /** By which message_seq all of it is there. */
  get whole(): number[] {
    const body = this.#message.length - 4;
    return [...this.#found].filter(([, { size }]) => size === body).map(([seq]) => seq);
  }

  /** Whether other messages are all that is missing ahead of that one, and something came of each: they are read in order. */
  isReached(seq: number): boolean {
    return Array.from({ length: seq }, (_, before) => before).every((before) => this.#others.has(before));
  }

  read(datagram: Buffer): void {
    const seen = new Set<number>();
    const places = [0];
    for (let at = places.pop(); at !== undefined; at = places.pop()) {
      if (at >= datagram.length || seen.has(at)) continue;
      seen.add(at);
      places.push(...this.#record(datagram, at));
    }
  }

  /** Reads what may be a record there; where a reader may go on. */
  #record(datagram: Buffer, at: number): number[] {
    const start = at + HEADER;
    if (start > datagram.length) return [at + 1];
    const isKnown = datagram[at]! >= 20 && datagram[at]! <= 25 && datagram[at + 1]! >> 7 === 1;
    const end = start + datagram.readUInt16BE(at + 11);
    if (datagram[at] === HANDSHAKE && datagram.readUInt16BE(at + 3) === 0) {
      this.#fragments(datagram.subarray(start, Math.min(end, datagram.length)));
    }
    return isKnown ? [start, end] : [start, end, at + 1];
  }

  #fragments(record: Buffer): void {
    const body = this.#message.subarray(4);
    for (let at = 0; at + FRAGMENT_HEADER <= record.length;) {
      const length = record.readUIntBE(at + 1, 3);
      const offset = record.readUIntBE(at + 6, 3);
      const octets = record.subarray(at + FRAGMENT_HEADER, at + FRAGMENT_HEADER + record.readUIntBE(at + 9, 3));
      if (record[at] !== this.#message[0]) this.#others.add(record.readUInt16BE(at + 4));
      const isOfIt = record[at] === this.#message[0] && length === body.length;
      if (isOfIt && octets.equals(body.subarray(offset, offset + octets.length))) {
        const key = record.readUInt16BE(at + 4);
        const found = this.#found.get(key) ?? new Set();
        this.#found.set(key, found);
        octets.forEach((_, i) => found.add(offset + i));
      }
      at += FRAGMENT_HEADER + octets.length;
    }
  }
}

const HANDSHAKE = 22;
const HEADER = 13;
const FRAGMENT_HEADER = 12;
