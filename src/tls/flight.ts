/**
 * One direction's records sorted into what they mean for a handshake: messages, alerts, ChangeCipherSpec. Owns the rules
 * that hold for both directions (RFC 8446 §5.1: a message is not interrupted by another content type) and the limit
 * `records`. Knows no order of messages; its owner does.
 */
import { type Fault, malformed, misbehaved, unsupported } from '../bytes/fault.ts';
import { CONTENT, MAX_PLAINTEXT } from './constants.ts';
import { HandshakeReader, type MessageConsumer, type MessageGate } from './handshake.ts';
import { type RecordConsumer, RecordReader } from './record.ts';

export interface FlightConsumer {
  /** Ahead of a message's body. */
  onMessageHeader?: MessageGate;
  onMessage: MessageConsumer;
  onAlert(level: number, description: number): Fault | undefined;
  onChangeCipherSpec(): Fault | undefined;
  /** A record of application data begins; `length` as on the wire. */
  onApplicationData(length: number): Fault | undefined;
  /** An encrypted record is complete. */
  onProtectedRecord(contentType: number): void;
}

export interface FlightLimits {
  readonly handshakeBytes: number;
  readonly records: number;
}

export class Flight implements RecordConsumer {
  readonly #reader: RecordReader;
  readonly #handshake: HandshakeReader;
  readonly #consumer: FlightConsumer;
  readonly #maxRecords: number;
  #records = 0;
  #alertLevel = -1;
  #isProtected = false;
  /** A record that brings the change of keys is still in clear, to its end. */
  #isRecordProtected = false;
  #protectedReader: RecordConsumer | undefined;
  /** Octets were lost: what makes no sense behind them may be the rest of what began in them. */
  #isCut = false;
  /** What is left of this record's messages. */
  #isUnread = false;

  constructor(limits: FlightLimits, consumer: FlightConsumer) {
    this.#reader = new RecordReader(this);
    this.#handshake = new HandshakeReader(
      limits.handshakeBytes,
      (type, body) => consumer.onMessage(type, body),
      (type) => consumer.onMessageHeader?.(type),
    );
    this.#consumer = consumer;
    this.#maxRecords = limits.records;
  }

  get fault(): Fault | undefined {
    return this.#reader.fault;
  }

  /** Version of the last record's header. */
  recordVersion = 0;

  /** True where a record of any kind may begin and be read by the peer. */
  get atBoundary(): boolean {
    return this.#reader.atBoundary && !this.#handshake.inMessage;
  }

  get atRecordBoundary(): boolean {
    return this.#reader.atBoundary;
  }

  feed(bytes: Uint8Array, start: number, end: number): void {
    this.#reader.feed(bytes, start, end);
  }

  /** Goes on behind octets that were not captured. */
  skip(octets: number): void {
    this.#reader.skip(octets);
  }

  onLost(octets: number): void {
    this.#isCut = true;
    this.#alertLevel = -1;
    this.#isUnread = !this.#handshake.drop(octets);
    // What is encrypted is opened in its sequence.
    this.#protectedReader = undefined;
  }

  /** From the next record on, contents are encrypted: nothing here looks at them, but `reader` may. */
  protect(reader?: RecordConsumer): void {
    this.#isProtected = true;
    this.#protectedReader = reader;
  }

  /** Octets read so far. */
  get octets(): number {
    return this.#reader.octets;
  }

  onRecordStart(contentType: number, version: number, length: number, at: number): Fault | undefined {
    this.recordVersion = version;
    this.#isUnread = false;
    this.#isRecordProtected = this.#isProtected;
    if (this.#isProtected) return this.#protectedReader?.onRecordStart(contentType, version, length, at);
    if (++this.#records > this.#maxRecords) return misbehaved(TOO_MANY_RECORDS, at);
    if (length > MAX_PLAINTEXT && contentType !== CONTENT.applicationData) return malformed('tls.record.overflow', at);
    if (this.#handshake.inMessage && contentType !== CONTENT.handshake) return misbehaved('tls.record.interleaved', at);
    if (this.#alertLevel >= 0 && contentType !== CONTENT.alert) return misbehaved('tls.record.interleaved', at);
    if (contentType === CONTENT.changeCipherSpec && length !== 1) return malformed('tls.change-cipher-spec.length', at);
    return contentType === CONTENT.applicationData ? this.#consumer.onApplicationData(length) : undefined;
  }

  onPayload(contentType: number, bytes: Uint8Array, start: number, end: number, last: boolean): Fault | undefined {
    if (this.#isRecordProtected) {
      if (last) this.#consumer.onProtectedRecord(contentType);
      return this.#protectedReader?.onPayload(contentType, bytes, start, end, last);
    }
    if (contentType === CONTENT.handshake) {
      if (this.#isUnread) return undefined;
      const fault = this.#handshake.feed(bytes, start, end);
      if (fault !== undefined && this.#isCut) {
        this.#isUnread = true;
        this.#handshake.drop(Infinity);
        return undefined;
      }
      // RFC 8446 §5.1: what changes the keys ends its record.
      const isCut = last && this.#isProtected && this.#handshake.inMessage;
      return fault ?? (isCut ? misbehaved('tls.handshake.order', start) : undefined);
    }
    if (contentType === CONTENT.alert) return this.#alert(bytes, start, end);
    if (contentType !== CONTENT.changeCipherSpec) return undefined;
    return bytes[start] === 1
      ? this.#consumer.onChangeCipherSpec()
      : unsupported('tls.change-cipher-spec.value', start);
  }

  #alert(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    for (let at = start; at < end; at++) {
      if (this.#alertLevel < 0) {
        this.#alertLevel = bytes[at]!;
        continue;
      }
      const level = this.#alertLevel;
      this.#alertLevel = -1;
      const fault = this.#consumer.onAlert(level, bytes[at]!);
      if (fault !== undefined) return fault;
    }
    return undefined;
  }
}

/** The limit `records`. */
export const TOO_MANY_RECORDS = 'tls.record.too-many';
