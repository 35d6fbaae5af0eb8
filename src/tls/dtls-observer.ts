/**
 * What a DTLS handshake (RFC 6347, and as far as it is in clear RFC 9147) shows to somebody who only watches. Puts the
 * messages together and hands them, as the records that TLS would have made of them, to the observer of TLS: what a
 * message means is the same. What DTLS adds is taken out on the way: the cookie of the ClientHello, HelloVerifyRequest,
 * and its versions, which count downwards.
 */
import { type Fault, isFault } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { CONTENT, HANDSHAKE, MAX_PLAINTEXT, VERSION } from './constants.ts';
import { DtlsHandshakeReader } from './dtls-handshake.ts';
import { type DtlsRecord, readDtlsRecords } from './dtls-record.ts';
import type { ObserverLimits } from './observed/dialogue.ts';
import type { HandshakeListener, Side } from './observed/listener.ts';
import { Observer } from './observer.ts';

export class DtlsObserver {
  readonly #listener: HandshakeListener;
  readonly #observer: Observer;
  readonly #sides: Readonly<Record<Side, DirectionState>>;
  /** Version of the last record in clear. */
  recordVersion = 0;

  /** `clientFirst`: false for captures of one direction. */
  constructor(listener: HandshakeListener, limits: ObserverLimits, options: { clientFirst: boolean }) {
    this.#listener = listener;
    this.#observer = new Observer(listener, limits, { isSsl2: false, ...options });
    const reader = (from: Side) =>
      new DtlsHandshakeReader(
        { maxLength: limits.handshakeBytes, startsAnywhere: !options.clientFirst },
        (type, body) => this.#onMessage(from, type, body),
      );
    this.#sides = { client: new DirectionState(reader('client')), server: new DirectionState(reader('server')) };
  }

  get done(): boolean {
    return this.#observer.done;
  }

  feed(from: Side, bytes: Uint8Array, start: number, end: number): void {
    const records = readDtlsRecords(bytes, start, end);
    if (isFault(records)) return;
    for (const record of records) {
      if (this.#sides[from].fault !== undefined) return;
      const fault = this.#onRecord(from, bytes, record);
      if (fault === undefined) continue;
      this.#sides[from].fault = fault;
      this.#listener.onFault(from, fault, tlsVersion(record.version));
    }
  }

  #onRecord(from: Side, bytes: Uint8Array, record: DtlsRecord): Fault | undefined {
    const side = this.#sides[from];
    // What is encrypted shows nothing; and nobody can tell a retransmission of it.
    if (record.epoch !== 0) return undefined;
    this.recordVersion = record.version;
    switch (record.contentType) {
      case CONTENT.handshake: {
        const fault = side.handshake.feed(bytes, record.start, record.end);
        this.#passChangeCipherSpec(from);
        return fault;
      }
      case CONTENT.changeCipherSpec:
        side.sawChangeCipherSpec = true;
        this.#passChangeCipherSpec(from);
        return undefined;
      case CONTENT.alert:
        this.#pass(from, CONTENT.alert, bytes.subarray(record.start, record.end));
        return undefined;
      default:
        // RFC 6347 §4.1: there is no other data in clear; receivers pass it over.
        return undefined;
    }
  }

  #onMessage(from: Side, type: number, body: Uint8Array): Fault | undefined {
    // RFC 6347 §4.2.1: the client repeats its hello with the cookie, and both count on from there.
    if (type === HELLO_VERIFY_REQUEST) return undefined;
    this.#sides[from].sawMessage = true;
    const translated =
      type === HANDSHAKE.clientHello ? withoutCookie(body) : type === HANDSHAKE.serverHello ? renumbered(body) : body;
    const { length } = translated;
    const header = Uint8Array.of(type, length >> 16, length >> 8, length);
    this.#pass(from, CONTENT.handshake, Buffer.concat([header, translated]));
    return undefined;
  }

  /** Datagrams overtake each other: it counts where what was sent before it has come. */
  #passChangeCipherSpec(from: Side): void {
    const side = this.#sides[from];
    if (!side.sawChangeCipherSpec || side.passedChangeCipherSpec || !side.sawMessage || !side.handshake.isInOrder)
      return;
    side.passedChangeCipherSpec = true;
    this.#pass(from, CONTENT.changeCipherSpec, Uint8Array.of(1));
  }

  #pass(from: Side, contentType: number, octets: Uint8Array): void {
    for (let at = 0; at < octets.length; at += MAX_PLAINTEXT) {
      const fragment = octets.subarray(at, at + MAX_PLAINTEXT);
      const header = Uint8Array.of(contentType, 3, 3, fragment.length >> 8, fragment.length);
      for (const piece of [header, fragment]) {
        if (from === 'client') this.#observer.feedClient(piece, 0, piece.length);
        else this.#observer.feedServer(piece, 0, piece.length);
      }
    }
  }
}

class DirectionState {
  readonly handshake: DtlsHandshakeReader;
  fault: Fault | undefined;
  sawMessage = false;
  sawChangeCipherSpec = false;
  passedChangeCipherSpec = false;

  constructor(handshake: DtlsHandshakeReader) {
    this.handshake = handshake;
  }
}

/** DTLS 1.0 is TLS 1.1 over datagrams, and 1.2 is 1.2 (RFC 6347 §1). Others stay as they are. */
export function tlsVersion(dtlsVersion: number): number {
  if (dtlsVersion === VERSION.dtls12) return VERSION.tls12;
  if (dtlsVersion === VERSION.dtls10 || dtlsVersion === VERSION.dtls10OpenSsl) return VERSION.tls11;
  return dtlsVersion;
}

/** RFC 6347 §4.2.1: legacy_version, random, session_id, cookie; then as in TLS. What does not parse stays for the parser. */
function withoutCookie(body: Uint8Array): Uint8Array {
  const reader = new ByteReader(body);
  reader.skip(2 + 32);
  reader.vector8();
  const cookieAt = reader.at;
  reader.vector8();
  if (!reader.ok) return renumbered(body);
  return renumbered(Buffer.concat([body.subarray(0, cookieAt), reader.rest()]));
}

function renumbered(body: Uint8Array): Uint8Array {
  const out = new Uint8Array(body);
  const version = tlsVersion((body[0]! << 8) | body[1]!);
  out[0] = version >> 8;
  out[1] = version;
  return out;
}

/** RFC 6347 §4.3.2. */
const HELLO_VERIFY_REQUEST = 3;
