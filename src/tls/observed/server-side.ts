/**
 * The server's messages in the order that the protocol allows, up to where encryption hides the rest:
 *
 *   awaitServerHello ─▶ awaitCertificate ─▶ awaitServerKeyExchange ─▶ awaitServerHelloDone
 *        │  ▲ │                │ abbreviated                               │
 *        └──┘ │ TLS 1.3        ▼                                           ▼
 *        HRR  └─▶ protected ◀─ awaitChangeCipherSpec ◀─────────────────────┘
 */
import { type Fault, malformed, misbehaved } from '../../bytes/fault.ts';
import { ByteReader } from '../../bytes/reader.ts';
import { parseCertificateList } from '../certificate.ts';
import { type KeyExchange, keyExchangeOf } from '../cipher-suites.ts';
import { HANDSHAKE } from '../constants.ts';
import { Flight, type FlightConsumer } from '../flight.ts';
import { isUnsolicited, parseServerHello, type ServerHello } from '../server-hello.ts';
import { parseServerKeyExchange } from '../server-key-exchange.ts';
import { type Dialogue, type ServerState, ifRead } from './dialogue.ts';

export class ServerSide implements FlightConsumer {
  readonly flight: Flight;
  readonly #dialogue: Dialogue;
  #keyExchange: KeyExchange = 'unknown';
  #sawCertificate = false;
  #sawServerKeyExchange = false;
  #isFinished = false;

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
    this.flight = new Flight(dialogue.limits, this);
  }

  /** A body that is never whole would hide what comes behind it. */
  onMessageHeader(type: number): Fault | undefined {
    const { serverState, cut } = this.#dialogue;
    const expected = cut.server ? ANY_IN_CLEAR : EXPECTED[serverState];
    const isExpected = type === HANDSHAKE.helloRequest || expected.has(type);
    return isExpected ? undefined : misbehaved('tls.handshake.order', 0);
  }

  onMessage(type: number, body: Uint8Array): Fault | undefined {
    this.#dialogue.listener.onMessage?.('server', type, body.length);
    // RFC 5246 §7.4.1.1: a client in the midst of a handshake ignores HelloRequest.
    if (type === HANDSHAKE.helloRequest) {
      return body.length === 0 ? this.#dialogue.countWarning() : malformed('tls.hello-request.syntax', 0);
    }
    switch (this.#dialogue.serverState) {
      case 'awaitServerHello':
        return this.#awaitServerHello(type, body);
      case 'awaitCertificate':
        return this.#awaitCertificate(type, body);
      case 'awaitServerKeyExchange':
        return this.#awaitServerKeyExchange(type, body);
      case 'awaitServerHelloDone':
        return this.#awaitServerHelloDone(type);
      case 'awaitChangeCipherSpec':
        return this.#awaitChangeCipherSpec(type, body);
      case 'protected':
        return undefined;
      default:
        return this.#dialogue.serverState satisfies never;
    }
  }

  onChangeCipherSpec(): Fault | undefined {
    const { clientHello, clientState, clientFirst, serverHello, serverState, listener, cut } = this.#dialogue;
    if (cut.server && (!this.#sawCertificate || serverHello === undefined)) {
      this.#protect();
      return undefined;
    }
    if (serverHello === undefined) {
      if (clientFirst || clientHello !== undefined) return misbehaved('tls.change-cipher-spec.early', 0);
      this.#protect();
      return undefined;
    }
    // Between a HelloRetryRequest and its answer (RFC 8446 appendix D.4).
    if (serverState === 'awaitServerHello') return undefined;
    // Ahead of ServerHelloDone it would hide what is still due (RFC 5246 §7.3).
    const isEarly = serverState === 'awaitServerKeyExchange' || serverState === 'awaitServerHelloDone';
    if (isEarly && !cut.server) {
      return misbehaved('tls.change-cipher-spec.early', 0);
    }
    const isClientFirst = clientState === 'protected';
    // RFC 5246 §7.3: in a whole handshake the server's comes second; what comes ahead is no answer to anything.
    if (this.#sawCertificate && !isClientFirst && clientFirst) return misbehaved('tls.change-cipher-spec.early', 0);
    this.#protect();
    listener.onServerChangeCipherSpec(!this.#sawCertificate && !isClientFirst);
    return undefined;
  }

  onAlert(level: number, description: number): Fault | undefined {
    return this.#dialogue.onAlert('server', level, description);
  }

  onApplicationData(): Fault | undefined {
    if (this.#dialogue.cut.server) {
      this.#protect();
      return undefined;
    }
    return misbehaved('tls.application-data.early', 0);
  }

  onProtectedRecord(): void {
    if (!this.#isFinished) this.#dialogue.listener.onServerFinished();
    this.#isFinished = true;
  }

  #awaitServerHello(type: number, body: Uint8Array): Fault | undefined {
    const dialogue = this.#dialogue;
    // An answer before the question: a client would take it for the answer once it asks.
    if (dialogue.clientHello === undefined && dialogue.clientFirst) return misbehaved('tls.server-hello.early', 0);
    if (type !== HANDSHAKE.serverHello) {
      if (!dialogue.cut.server) return misbehaved('tls.handshake.order', 0);
      dialogue.serverState = 'awaitCertificate';
      return this.#awaitCertificate(type, body);
    }
    return ifRead(parseServerHello(body), (hello) => this.#onServerHello(hello));
  }

  #onServerHello(hello: ServerHello): Fault | undefined {
    const dialogue = this.#dialogue;
    const { listener, clientFirst } = dialogue;
    const before = dialogue.serverHello;
    if (before?.isHelloRetryRequest && hello.isHelloRetryRequest) {
      return misbehaved('tls.hello-retry-request.repeated', 0);
    }
    const client = clientFirst ? dialogue.clientHello : undefined;
    if (client !== undefined && isUnsolicited(hello, client)) return misbehaved('tls.server-hello.unsolicited', 0);
    // RFC 8446 §4.1.4: the answer to the second ClientHello is of the version that asked for it.
    if (before?.isHelloRetryRequest && (dialogue.isAskedAgain || hello.version !== before.version)) {
      return misbehaved('tls.server-hello.retried', 0);
    }
    dialogue.serverHello = hello;
    dialogue.cut.server = false;
    dialogue.isAskedAgain = hello.isHelloRetryRequest && clientFirst;
    this.#keyExchange = keyExchangeOf(hello.cipherSuite);
    listener.onServerHello(hello, this.#keyExchange);
    if (hello.isHelloRetryRequest) return undefined;
    dialogue.serverState = hello.isTls13 ? 'protected' : 'awaitCertificate';
    if (hello.isTls13) this.flight.protect(listener.encryptedFlight?.());
    return undefined;
  }

  #awaitCertificate(type: number, body: Uint8Array): Fault | undefined {
    switch (type) {
      case HANDSHAKE.supplementalData:
        return undefined;
      case HANDSHAKE.certificate:
        this.#sawCertificate = true;
        this.#dialogue.serverState = 'awaitServerKeyExchange';
        return this.#onCertificate(body);
      case HANDSHAKE.newSessionTicket:
        this.#dialogue.serverState = 'awaitChangeCipherSpec';
        return this.#onNewSessionTicket(new ByteReader(body));
      default:
        this.#dialogue.serverState = 'awaitServerKeyExchange';
        return this.#awaitServerKeyExchange(type, body);
    }
  }

  #onCertificate(body: Uint8Array): Fault | undefined {
    if (this.#dialogue.serverHello?.selectsRawPublicKey) {
      // RFC 7250 §3: the structure is one vector that holds a SubjectPublicKeyInfo.
      const reader = new ByteReader(body);
      const spki = reader.vector24().rest();
      if (!reader.atEnd() || spki.length === 0) return malformed('tls.certificate.syntax', 0);
      this.#dialogue.listener.onRawPublicKey(spki);
      return undefined;
    }
    return ifRead(parseCertificateList(body, this.#dialogue.limits.certificates), (certificates) => {
      // RFC 5246 §7.4.2: a server's list is not empty.
      if (certificates.length === 0) return malformed('tls.certificate.none', 0);
      this.#dialogue.listener.onCertificate(certificates);
      return undefined;
    });
  }

  #awaitServerKeyExchange(type: number, body: Uint8Array): Fault | undefined {
    if (type === HANDSHAKE.certificateStatus) return undefined;
    if (type !== HANDSHAKE.serverKeyExchange) {
      this.#dialogue.serverState = 'awaitServerHelloDone';
      return this.#awaitServerHelloDone(type);
    }
    // RFC 5246 §7.4.3: not legal there; clients that take it have keys that nobody proved (CVE-2015-0204).
    if (this.#keyExchange === 'static' && this.#dialogue.clientFirst) {
      return misbehaved('tls.server-key-exchange.unexpected', 0);
    }
    this.#sawServerKeyExchange = true;
    this.#dialogue.serverState = 'awaitServerHelloDone';
    const signed = this.#keyExchange === 'ecdhe' || this.#keyExchange === 'dhe' || this.#keyExchange === 'rsa-export';
    // Without a certificate there is nothing that a signature could prove.
    if (!signed || !this.#sawCertificate) return undefined;
    return ifRead(parseServerKeyExchange(body, this.#keyExchange, this.#dialogue.serverHello!.version), (exchange) => {
      this.#dialogue.listener.onServerKeyExchange(exchange);
      return undefined;
    });
  }

  #awaitServerHelloDone(type: number): Fault | undefined {
    if (type === HANDSHAKE.certificateRequest) return undefined;
    if (type !== HANDSHAKE.serverHelloDone) return misbehaved('tls.handshake.order', 0);
    // RFC 5246 §7.4.3: parameters that have to be signed have to be sent; a client stops here.
    const isDue = this.#keyExchange === 'ecdhe' || this.#keyExchange === 'dhe';
    const { cut } = this.#dialogue;
    if (isDue && !this.#sawServerKeyExchange && !cut.server) return misbehaved('tls.server-key-exchange.missing', 0);
    this.#dialogue.serverState = 'awaitChangeCipherSpec';
    const isKnown = this.#sawCertificate && (!isDue || this.#sawServerKeyExchange);
    if (cut.server && !isKnown) return undefined;
    this.#dialogue.listener.onServerHelloDone(this.#sawCertificate);
    return undefined;
  }

  #awaitChangeCipherSpec(type: number, body: Uint8Array): Fault | undefined {
    if (type === HANDSHAKE.newSessionTicket) return this.#onNewSessionTicket(new ByteReader(body));
    return misbehaved('tls.handshake.order', 0);
  }

  /** RFC 5077 §3.3. */
  #onNewSessionTicket(reader: ByteReader): Fault | undefined {
    const lifetime = reader.u32();
    const ticket = reader.vector16().rest();
    if (!reader.atEnd()) return malformed('tls.new-session-ticket.syntax', reader.at);
    this.#dialogue.listener.onNewSessionTicket(lifetime, ticket);
    return undefined;
  }

  #protect(): void {
    this.#dialogue.serverState = 'protected';
    this.flight.protect();
  }
}

/** What the server may send next (RFC 5246 §7.3, RFC 8446 §4), besides HelloRequest. */
const LAST_OF_FLIGHT = [HANDSHAKE.certificateRequest, HANDSHAKE.serverHelloDone];
const BEHIND_CERTIFICATE = [HANDSHAKE.certificateStatus, HANDSHAKE.serverKeyExchange, ...LAST_OF_FLIGHT];
const EXPECTED: Readonly<Record<ServerState, ReadonlySet<number>>> = {
  awaitServerHello: new Set([HANDSHAKE.serverHello]),
  awaitCertificate: new Set([
    ...[HANDSHAKE.supplementalData, HANDSHAKE.certificate, HANDSHAKE.newSessionTicket],
    ...BEHIND_CERTIFICATE,
  ]),
  awaitServerKeyExchange: new Set(BEHIND_CERTIFICATE),
  awaitServerHelloDone: new Set(LAST_OF_FLIGHT),
  awaitChangeCipherSpec: new Set([HANDSHAKE.newSessionTicket]),
  protected: new Set(),
};
const ANY_IN_CLEAR: ReadonlySet<number> = new Set(Object.values(EXPECTED).flatMap((types) => [...types]));
