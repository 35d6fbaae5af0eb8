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
  /**
   * Octets were lost, inside the record that is being read; Infinity where it is not known of how many records. Only of
   * captures.
   */
  onLost?(octets: number): void;
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
  /** Octets were lost, and with them where the next record begins. */
  #isAdrift = false;
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
      if (this.#isAdrift) at = this.#find(bytes, at, end);
      else at = this.#inPayload ? this.#payload(bytes, at, end) : this.#awaitHeader(bytes, at, end);
    }
  }

  /**
   * Goes on behind octets that were not captured: where they end inside the record that is being read, its length tells
   * where the next one begins; else the next one is looked for.
   */
  skip(octets: number): void {
    this.#at += octets;
    this.#headerFilled = 0;
    const isInside = this.#inPayload && octets <= this.#remaining;
    this.#remaining = isInside ? this.#remaining - octets : 0;
    this.#inPayload = this.#remaining > 0;
    this.#isAdrift ||= !isInside;
    this.#consumer.onLost?.(isInside ? octets : Infinity);
  }

  #find(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && !beginsRecord(bytes, at, end)) at++;
    this.#isAdrift = at === end;
    this.#at += at - start;
    return at;
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

/** Whether a record may begin there, and behind it another one. */
function beginsRecord(bytes: Uint8Array, at: number, end: number): boolean {
  if (at + HEADER_LENGTH > end) return false;
  const length = (bytes[at + 3]! << 8) | bytes[at + 4]!;
  const next = at + HEADER_LENGTH + length;
  const fits = length > 0 && length <= MAX_CIPHERTEXT && (bytes[at] !== CONTENT.changeCipherSpec || length === 1);
  return (
    fits && isRecordOf(bytes[at]!, bytes[at + 1]!) && (next + 1 >= end || isRecordOf(bytes[next]!, bytes[next + 1]!))
  );
}

function isRecordOf(contentType: number, major: number): boolean {
  return contentType >= CONTENT.changeCipherSpec && contentType <= CONTENT.applicationData && major === 3;
}

const HEADER_LENGTH = 5;
