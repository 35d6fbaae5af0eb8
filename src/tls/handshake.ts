/**
 * Handshake messages (RFC 8446 §4, RFC 5246 §7.4) out of record payloads, however they are cut: several in one record,
 * one over many records. A message that lies whole in its piece is handed on in place; another is gathered in a buffer
 * that grows with what was received, never with what the length promises. Knows headers, not contents.
 */
import { type Fault, misbehaved } from '../bytes/fault.ts';

/** `body` is valid only during the call. */
export type MessageConsumer = (type: number, body: Uint8Array) => Fault | undefined;

/** A message's header is there: a fault for one that may not come now, whatever its body is. */
export type MessageGate = (type: number) => Fault | undefined;

export class HandshakeReader {
  readonly #consume: MessageConsumer;
  readonly #gate: MessageGate | undefined;
  readonly #maxLength: number;
  /** Of the message that is being read; big-endian, as far as its octets have come. */
  #header = 0;
  #headerFilled = 0;
  #length = 0;
  #body: Uint8Array = EMPTY;
  #bodyFilled = 0;
  /** Octets of a message, part of which was lost, that are still to come. */
  #dropping = 0;

  /** `maxLength`: the limit `handshakeBytes`, in octets of one message. */
  constructor(maxLength: number, consume: MessageConsumer, gate?: MessageGate) {
    this.#maxLength = maxLength;
    this.#gate = gate;
    this.#consume = consume;
  }

  /** True inside a message: no record of another type may come now (RFC 8446 §5.1). */
  get inMessage(): boolean {
    return this.#headerFilled > 0;
  }

  #type(): number {
    return this.#header >>> 24;
  }

  feed(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    let at = start + Math.min(this.#dropping, end - start);
    this.#dropping -= at - start;
    while (at < end) {
      if (this.#headerFilled < HEADER_LENGTH) {
        this.#header = ((this.#header << 8) | bytes[at++]!) >>> 0;
        if (++this.#headerFilled < HEADER_LENGTH) continue;
        this.#length = this.#header & 0xffffff;
        if (this.#length > this.#maxLength) return misbehaved(LIMIT_FAULT, at - HEADER_LENGTH);
        const fault = this.#gate?.(this.#type());
        if (fault !== undefined) return fault;
      }
      const missing = this.#length - this.#bodyFilled;
      const length = Math.min(missing, end - at);
      if (length < missing) {
        this.#gather(bytes, at, at + length);
        return undefined;
      }
      const fault = this.#complete(bytes, at, at + length);
      if (fault !== undefined) return fault;
      at += length;
    }
    return undefined;
  }

  /** `lost` octets come no more: the message that they are of is dropped. False where nothing tells how it goes on. */
  drop(lost: number): boolean {
    const missing = this.inMessage ? this.#length - this.#bodyFilled : this.#dropping;
    const isKnown = lost <= missing && this.#headerFilled % HEADER_LENGTH === 0;
    this.#dropping = isKnown ? missing - lost : 0;
    this.#reset();
    return isKnown;
  }

  #reset(): void {
    this.#headerFilled = 0;
    this.#bodyFilled = 0;
    this.#body = EMPTY;
  }

  #complete(bytes: Uint8Array, start: number, end: number): Fault | undefined {
    let body: Uint8Array;
    if (this.#bodyFilled === 0) {
      body = bytes.subarray(start, end);
    } else {
      this.#gather(bytes, start, end);
      body = this.#body.subarray(0, this.#length);
    }
    this.#reset();
    return this.#consume(this.#type(), body);
  }

  #gather(bytes: Uint8Array, start: number, end: number): void {
    const filled = this.#bodyFilled + (end - start);
    if (filled > this.#body.length) {
      const grown = new Uint8Array(Math.min(this.#length, Math.max(filled, this.#body.length * 2, MIN_BUFFER)));
      grown.set(this.#body.subarray(0, this.#bodyFilled));
      this.#body = grown;
    }
    this.#body.set(bytes.subarray(start, end), this.#bodyFilled);
    this.#bodyFilled = filled;
  }
}

/** The one fault here that is a limit and not an error of the peer's. */
export const LIMIT_FAULT = 'tls.handshake.too-long';
const HEADER_LENGTH = 4;
const MIN_BUFFER = 1024;
const EMPTY = new Uint8Array(0);
