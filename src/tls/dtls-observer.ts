/**
 * What a DTLS handshake (RFC 6347, and as far as it is in clear RFC 9147) shows to somebody who only watches. Puts the
 * messages together and hands them, as the records that TLS would have made of them, to the observer of TLS: what a
 * message means is the same. What DTLS adds is taken out on the way: the cookie of the ClientHello, HelloVerifyRequest,
 * and its versions, which count downwards.
 */
import { type Fault, malformed, misbehaved } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { CONTENT, HANDSHAKE, MAX_PLAINTEXT, VERSION } from './constants.ts';
import { DtlsHandshakeReader } from './dtls-handshake.ts';
import type { DtlsRecord } from './dtls-record.ts';
import type { ObserverLimits } from './observed/dialogue.ts';
import type { HandshakeListener, Side } from './observed/listener.ts';
import { Observer, type ServerPoint } from './observer.ts';

export class DtlsObserver {
  readonly #listener: HandshakeListener;
  readonly #observer: Observer;
  readonly #sides: Readonly<Record<Side, DirectionState>>;
  readonly #clientFirst: boolean;
  /** Version of the last record in clear. */
  recordVersion = 0;

  /** `clientFirst`: false for captures of one direction. */
  constructor(listener: HandshakeListener, limits: ObserverLimits, options: { clientFirst: boolean }) {
    this.#listener = listener;
    this.#clientFirst = options.clientFirst;
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

  /** Up to where the server's messages were understood. */
  get serverPoint(): ServerPoint {
    return this.#sides.server.fault === undefined ? this.#observer.serverPoint : 'fault';
  }

  /** `records` of one datagram. False where a client might read something else in it than what was read here. */
  feed(from: Side, bytes: Uint8Array, records: readonly DtlsRecord[]): boolean {
    for (const record of records) {
      if (from === 'server' && this.#clientFirst && !this.#isTaken(record)) return false;
      if (this.#sides[from].fault !== undefined) return true;
      const fault = this.#onRecord(from, bytes, record);
      if (fault === undefined) continue;
      this.#sides[from].fault = fault;
      this.#listener.onFault(from, fault, tlsVersion(record.version));
    }
    return true;
  }

  /**
   * A client may leave a record that it does not want at its header, and read on in its octets (OpenSSL does): one of
   * another version, once that is chosen, or longer than was agreed to.
   */
  #isTaken({ version, start, end }: DtlsRecord): boolean {
    if (version === VERSION.dtls13) return true;
    const chosen = this.#sides.server.helloVersion;
    const maxLength = this.#observer.serverHello?.maxFragmentLength ?? Infinity;
    if (chosen !== 0) return version === chosen && end - start <= maxLength;
    const asked = this.#sides.client.helloVersion;
    return asked === 0 || version >> 8 === asked >> 8;
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
    if (type === HANDSHAKE.helloVerifyRequest) return this.#onHelloVerifyRequest(from, body);
    const side = this.#sides[from];
    side.sawMessage = true;
    if (type === HANDSHAKE.clientHello || type === HANDSHAKE.serverHello)
      side.helloVersion = (body[0]! << 8) | body[1]!;
    const translated =
      type === HANDSHAKE.clientHello ? withoutCookie(body) : type === HANDSHAKE.serverHello ? renumbered(body) : body;
    const { length } = translated;
    const header = Uint8Array.of(type, length >> 16, length >> 8, length);
    this.#pass(from, CONTENT.handshake, Buffer.concat([header, translated]));
    return undefined;
  }

  /** RFC 6347 §4.2.1: ahead of every other answer; the client repeats its hello with the cookie, and both count on. */
  #onHelloVerifyRequest(from: Side, body: Uint8Array): Fault | undefined {
    const { serverPoint } = this.#observer;
    if (from === 'client' || (serverPoint !== 'unanswered' && serverPoint !== 'unasked')) {
      return misbehaved('dtls.hello-verify-request.unexpected', 0);
    }
    const reader = new ByteReader(body);
    reader.skip(2);
    reader.vector8();
    return reader.atEnd() ? undefined : malformed('dtls.hello-verify-request.syntax', 0);
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
  /** As its hello says it; 0 until then. */
  helloVersion = 0;
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
