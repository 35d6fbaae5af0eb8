/**
 * The record layer (RFC 8446 §5.1, RFC 5246 §6.2) of one direction: cuts the stream into records, whatever the segments
 * they came in, and hands payloads on as they arrive, so that nothing is buffered here but a header. Knows content
 * types and lengths; not what handshake messages mean, not what is encrypted.
 *
 *      awaitHeader ──5 octets──▶ inPayload ──length octets──▶ awaitHeader
 *           └──────────── fault: the stream is read no further ──────────┘
 */
import { type Fault, malformed, unsupported } from '../bytes/fault.ts';
import { CONTENT, MAX_CIPHERTEXT } from './constants.ts';

/** What a record's reader hears; `false` stops the stream where it stands. */
export interface RecordConsumer {
  /** A fault ends the stream. `at` is the offset of the record in the stream. */
  onRecordStart(contentType: number, version: number, length: number, at: number): Fault | undefined;
  /** A piece of the payload, valid only during the call; `last` with the piece that ends the record. */
  onPayload(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): Fault | undefined;
}

export class RecordReader {
  readonly #consumer: RecordConsumer;
  /** Of one that came in pieces. */
  #header: Uint8Array | undefined;
  #headerFilled = 0;
  #contentType = 0;
  #remaining = 0;
  #inPayload = false;
  #at = 0;
  #fault: Fault | undefined;

  constructor(consumer: RecordConsumer) {
    this.#consumer = consumer;
  }

  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** Octets read so far. */
  get octets(): number {
    return this.#at;
  }

  /** True between records: whatever is sent next begins one. */
  get atBoundary(): boolean {
    return !this.#inPayload && this.#headerFilled === 0;
  }

  feed(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end && this.#fault === undefined) {
      at = this.#inPayload ? this.#payload(bytes, at, end) : this.#awaitHeader(bytes, at, end);
    }
  }

  #awaitHeader(bytes: Uint8Array, at: number, end: number): number {
    if (this.#headerFilled === 0 && end - at >= HEADER_LENGTH) {
      this.#at += HEADER_LENGTH;
      this.#begin(bytes, at);
      return at + HEADER_LENGTH;
    }
    this.#header ??= new Uint8Array(HEADER_LENGTH);
    const length = Math.min(HEADER_LENGTH - this.#headerFilled, end - at);
    for (let i = 0; i < length; i++) this.#header[this.#headerFilled + i] = bytes[at + i]!;
    this.#headerFilled += length;
    this.#at += length;
    if (this.#headerFilled < HEADER_LENGTH) return at + length;
    this.#headerFilled = 0;
    this.#begin(this.#header, 0);
    return at + length;
  }

  /** The header is bytes[start, start + 5). */
  #begin(bytes: Uint8Array, start: number): void {
    const at = this.#at - HEADER_LENGTH;
    const contentType = bytes[start]!;
    const version = (bytes[start + 1]! << 8) | bytes[start + 2]!;
    const length = (bytes[start + 3]! << 8) | bytes[start + 4]!;
    this.#contentType = contentType;
    // RFC 8446 §5.1: legacy_record_version MUST be ignored; what is not 3.x is not a record of this protocol.
    if (version >>> 8 !== 3) this.#fault = malformed('tls.record.version', at);
    else if (contentType < CONTENT.changeCipherSpec || contentType > CONTENT.heartbeat)
      this.#fault = unsupported('tls.record.type', at);
    else if (length > MAX_CIPHERTEXT) this.#fault = malformed('tls.record.overflow', at);
    // RFC 8446 §5.1: zero-length fragments of handshake, alert and change_cipher_spec are not allowed.
    else if (length === 0 && contentType !== CONTENT.applicationData) this.#fault = malformed('tls.record.empty', at);
    else this.#fault = this.#consumer.onRecordStart(contentType, version, length, at);
    this.#remaining = length;
    this.#inPayload = length > 0;
  }

  #payload(bytes: Uint8Array, at: number, end: number): number {
    const length = Math.min(this.#remaining, end - at);
    this.#remaining -= length;
    this.#at += length;
    this.#inPayload = this.#remaining > 0;
    this.#fault = this.#consumer.onPayload(this.#contentType, bytes, at, at + length, !this.#inPayload);
    return at + length;
  }
}

const HEADER_LENGTH = 5;
