/**
 * Handshake messages of one direction of DTLS (RFC 6347 §4.2.2-3) out of fragments that come in any order, more than
 * once and cut in more than one way: delivered whole, each once, in the order of their numbers. An octet of a message has
 * one value: a fragment that gives it another one is a fault. Bounded in octets, messages and gaps; memory follows what
 * was received. Knows headers, not contents.
 *
 *   | msg_type 8 | length 24 | message_seq 16 | fragment_offset 24 | fragment_length 24 | octets |
 */
import { type Fault, malformed, misbehaved } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { HANDSHAKE } from './constants.ts';
import { LIMIT_FAULT, type MessageConsumer } from './handshake.ts';

export interface DtlsHandshakeOptions {
  /** The limit `handshakeBytes`: octets of all messages of a direction. */
  readonly maxLength: number;
  /** Take whichever message comes first for the first, as of a capture that begins in the middle. */
  readonly startsAnywhere: boolean;
}

export class DtlsHandshakeReader {
  readonly #options: DtlsHandshakeOptions;
  readonly #consume: MessageConsumer;
  readonly #messages = new Map<number, GatheredMessage>();
  /** message_seq of the next message to deliver; -1 until the first one tells. */
  #next: number;
  #received = 0;
  /** Messages that are not delivered yet, in whatever part they are there. */
  #waiting = 0;

  /** Bodies that are delivered are valid only during the call. */
  constructor(options: DtlsHandshakeOptions, consume: MessageConsumer) {
    this.#options = options;
    this.#consume = consume;
    this.#next = options.startsAnywhere ? -1 : 0;
  }

  /** True when nothing waits for what comes before it. */
  get isInOrder(): boolean {
    return this.#waiting === 0;
  }

  /** The fragments of one record. */
  feed(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    const reader = new ByteReader(bytes, start, end);
    while (reader.more()) {
      const fault = this.#fragment(reader);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }

  #fragment(reader: ByteReader): Fault | undefined {
    const at = reader.at;
    const type = reader.u8();
    const length = reader.u24();
    const seq = reader.u16();
    const offset = reader.u24();
    const octets = reader.vector24().rest();
    if (!reader.ok || offset + octets.length > length) return malformed('dtls.handshake.syntax', at);
    if (length > this.#options.maxLength) return misbehaved(LIMIT_FAULT, at);
    if (this.#next < 0) this.#next = seq;
    if (seq >= this.#next + MAX_AHEAD) return misbehaved('dtls.handshake.too-far-ahead', at);
    // A retransmission of what is long done, of which no copy is kept.
    let message = this.#messages.get(seq);
    if (message === undefined) {
      if (seq < this.#next) return undefined;
      message = new GatheredMessage(type, length);
      this.#messages.set(seq, message);
      this.#waiting++;
    }
    // Copies of the same count as well: nobody repeats a flight without end.
    this.#received += HEADER_LENGTH + octets.length;
    if (this.#received > this.#options.maxLength * MAX_COPIES) return misbehaved(LIMIT_FAULT, at);
    // RFC 6347 §4.2.1: its sender keeps no state, so another copy may have another cookie.
    const isVerification = type === HANDSHAKE.helloVerifyRequest && type === message.type && seq < this.#next;
    if (isVerification && octets.length === length) return undefined;
    if (!message.add(type, length, offset, octets)) return misbehaved('dtls.handshake.conflict', at);
    if (message.pieces > MAX_PIECES) return misbehaved('dtls.handshake.too-many-gaps', at);
    return this.#deliver();
  }

  #deliver(): Fault | undefined {
    for (;;) {
      const message = this.#messages.get(this.#next);
      const body = message?.whole();
      if (message === undefined || body === undefined) return undefined;
      this.#next++;
      this.#waiting--;
      const fault = this.#consume(message.type, body);
      if (fault !== undefined) return fault;
    }
  }
}

/** A message in the making: disjoint pieces, sorted; one piece when it is whole, which is kept for comparison. */
class GatheredMessage {
  readonly type: number;
  readonly #length: number;
  #pieces: Piece[] = [];

  constructor(type: number, length: number) {
    this.type = type;
    this.#length = length;
  }

  get pieces(): number {
    return this.#pieces.length;
  }

  /** False when it disagrees with what is known. */
  add(type: number, length: number, offset: number, octets: Uint8Array): boolean {
    if (type !== this.type || length !== this.#length) return false;
    if (octets.length === 0) return true;
    const end = offset + octets.length;
    let at = offset;
    const pieces: Piece[] = [];
    for (const piece of this.#pieces) {
      if (!agree(piece, offset, octets)) return false;
      if (at < end && at < piece.offset) pieces.push(copyOfPart(octets, offset, at, Math.min(end, piece.offset)));
      at = Math.max(at, piece.offset + piece.octets.length);
      pieces.push(piece);
    }
    if (at < end) pieces.push(copyOfPart(octets, offset, at, end));
    this.#pieces = pieces.sort((a, b) => a.offset - b.offset);
    return true;
  }

  /** The body, once every octet is there. */
  whole(): Uint8Array | undefined {
    const present = this.#pieces.reduce((sum, piece) => sum + piece.octets.length, 0);
    if (present < this.#length) return undefined;
    if (this.#pieces.length === 0) return NOTHING;
    if (this.#pieces.length > 1) {
      this.#pieces = [{ offset: 0, octets: new Uint8Array(Buffer.concat(this.#pieces.map(({ octets }) => octets))) }];
    }
    return this.#pieces[0]!.octets;
  }
}

interface Piece {
  readonly offset: number;
  readonly octets: Uint8Array;
}

function agree(piece: Piece, offset: number, octets: Uint8Array): boolean {
  const from = Math.max(piece.offset, offset);
  const to = Math.min(piece.offset + piece.octets.length, offset + octets.length);
  for (let at = from; at < to; at++) if (piece.octets[at - piece.offset] !== octets[at - offset]) return false;
  return true;
}

function copyOfPart(octets: Uint8Array, offset: number, from: number, to: number): Piece {
  return { offset: from, octets: new Uint8Array(octets.subarray(from - offset, to - offset)) };
}

/** Messages of a flight that may come before an earlier one. */
const MAX_AHEAD = 16;
/** A 16 KiB certificate in fragments of the smallest datagram that every network carries. */
const MAX_PIECES = 128;
const MAX_COPIES = 8;
const HEADER_LENGTH = 12;
const NOTHING = new Uint8Array(0);
