/**
 * What a handshake shows to somebody who only watches: both directions' messages in the order that the protocol allows,
 * up to the point where encryption hides the rest. Reports what was seen; whether that is good is not decided here.
 *
 *   client  awaitClientHello ─▶ awaitClientFlight ────────────────────────────────▶ protected
 *   server  awaitServerHello ─▶ awaitCertificate ─▶ awaitServerKeyExchange ─▶ awaitServerHelloDone
 *                │  ▲ │                │ abbreviated                               │
 *                └──┘ │ TLS 1.3        ▼                                           ▼
 *                HRR  └─▶ protected ◀─ awaitChangeCipherSpec ◀─────────────────────┘
 */
import { type Fault, isFault, malformed, misbehaved } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { parseCertificateList } from './certificate.ts';
import { type KeyExchange, keyExchangeOf } from './cipher-suites.ts';
import { type ClientHello, parseClientHello } from './client-hello.ts';
import { CONTENT, HANDSHAKE, VERSION } from './constants.ts';
import { Flight, type FlightConsumer, type FlightLimits } from './flight.ts';
import type { RecordConsumer } from './record.ts';
import { isUnsolicited, parseServerHello, type ServerHello } from './server-hello.ts';
import { parseServerKeyExchange, type ServerKeyExchange } from './server-key-exchange.ts';
import { beginsSsl2, parseSsl2ClientHello, parseSsl2ServerHello, SSL2, Ssl2RecordReader } from './ssl2.ts';

/** Every call happens inside `feedClient` or `feedServer`; views are valid only during the call. */
export interface HandshakeListener {
  /** Every handshake message in clear, ahead of what is said of its contents; `length` without its header. */
  onMessage?(from: Side, type: number, length: number): void;
  /** The second one answers a HelloRetryRequest. */
  /** `recordVersion`: of the record that it began in. */
  onClientHello(hello: ClientHello, recordVersion: number): void;
  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void;
  /** Who reads the records that follow a ServerHello of TLS 1.3; nobody, unless secrets are at hand. */
  encryptedFlight?(): RecordConsumer | undefined;
  onCertificate(certificates: readonly Uint8Array[]): void;
  onRawPublicKey(spki: Uint8Array): void;
  onServerKeyExchange(exchange: ServerKeyExchange): void;
  /** Everything that the server has to show was shown. */
  onServerHelloDone(sawCertificate: boolean): void;
  onNewSessionTicket(lifetimeSeconds: number, ticket: Uint8Array): void;
  onServerChangeCipherSpec(isAbbreviated: boolean): void;
  /** The first encrypted record of the server's is complete: its Finished, up to TLS 1.2. */
  onServerFinished(): void;
  onClientCertificate(certificates: readonly Uint8Array[]): void;
  /** The client's first encrypted handshake record is complete: its Finished, up to TLS 1.2. */
  onClientFinished?(): void;
  /** A record of the client's that is application data; in TLS 1.3, that may be anything encrypted. `length` as on the wire. */
  onClientData?(length: number): void;
  onFatalAlert(from: Side, description: number): void;
  /** `recordVersion`: of the last record of that side, for a hello that cannot be read. */
  onFault(from: Side, fault: Fault, recordVersion: number): void;
}

export type Side = 'client' | 'server';

/**
 * What the server has shown whole, and the client may act on. `unasked`: nothing but what clients ignore, and no hello of
 * the client's; `unanswered`: no answer; `end`: up to TLS 1.2 all that is in clear; `encrypted`: a ServerHello of TLS 1.3,
 * and what nobody reads here; `fault`: what nobody understands.
 */
export type ServerPoint =
  | 'unasked'
  | 'unanswered'
  | 'hello-retry-request'
  | 'server-hello'
  | 'certificate'
  | 'key-exchange'
  | 'end'
  | 'encrypted'
  | 'fault';

export interface ObserverLimits extends FlightLimits {
  readonly certificates: number;
}

export class Observer {
  readonly #listener: HandshakeListener;
  readonly #limits: ObserverLimits;
  /** False for captures of one direction, where a server's flight has no hello before it. */
  readonly #clientFirst: boolean;
  readonly #client: Flight;
  readonly #server: Flight;
  #clientState: ClientState = 'awaitClientHello';
  #serverState: ServerState = 'awaitServerHello';
  #clientHello: ClientHello | undefined;
  #serverHello: ServerHello | undefined;
  /** A HelloRetryRequest has come, and no second ClientHello. */
  #isAskedAgain = false;
  #keyExchange: KeyExchange = 'unknown';
  #sawCertificate = false;
  #sawServerKeyExchange = false;
  #isServerFinished = false;
  #isClientFinished = false;
  #warnings = 0;
  #ssl2Client: Ssl2RecordReader | undefined;
  #ssl2Server: Ssl2RecordReader | undefined;
  #serverStart: number[] | undefined;
  #reported = { client: false, server: false };

  constructor(listener: HandshakeListener, limits: ObserverLimits, options: { isSsl2: boolean; clientFirst: boolean }) {
    this.#listener = listener;
    this.#limits = limits;
    this.#clientFirst = options.clientFirst;
    this.#client = new Flight(limits, this.#clientConsumer());
    this.#server = new Flight(limits, this.#serverConsumer());
    if (options.isSsl2) {
      this.#ssl2Client = new Ssl2RecordReader();
      this.#serverStart = [];
    }
  }

  /** True where the client would read an alert record that is sent to it now. */
  get serverAtBoundary(): boolean {
    return this.#serverState !== 'protected' && this.#server.fault === undefined && this.#server.atRecordBoundary;
  }

  /** True between records of the client's. */
  get clientAtBoundary(): boolean {
    return this.#client.atRecordBoundary;
  }

  /** Up to where the server's octets were understood. */
  get serverPoint(): ServerPoint {
    if (this.#reported.server || this.#server.fault !== undefined) return 'fault';
    switch (this.#serverState) {
      case 'awaitServerHello':
        if (this.#clientHello === undefined) return 'unasked';
        return this.#isAskedAgain ? 'hello-retry-request' : 'unanswered';
      case 'awaitCertificate':
        return 'server-hello';
      case 'awaitServerKeyExchange':
        return 'certificate';
      case 'awaitServerHelloDone':
        return 'key-exchange';
      case 'awaitChangeCipherSpec':
        return 'end';
      case 'protected':
        return this.#serverHello?.isTls13 ? 'encrypted' : 'end';
      default:
        return this.#serverState satisfies never;
    }
  }

  /** True between messages and between records of the server's. */
  get serverBetweenMessages(): boolean {
    return this.#serverStart === undefined && this.#ssl2Server === undefined && this.#server.atBoundary;
  }

  /** Octets of the server's that were read as TLS. */
  get serverOctets(): number {
    return this.#server.octets;
  }

  /** True when neither direction will show anything more. */
  get done(): boolean {
    return (
      this.#serverState === 'protected' && (this.#clientState === 'protected' || this.#serverHello?.isTls13 === true)
    );
  }

  /** The version that an alert record to this client should carry. */
  get recordVersion(): number {
    const version = this.#serverHello?.version ?? this.#clientHello?.legacyVersion ?? VERSION.tls12;
    return version >= VERSION.ssl3 && version <= VERSION.tls12 ? version : VERSION.tls12;
  }

  feedClient(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    if (this.#ssl2Client !== undefined) {
      at += this.#ssl2Client.feed(bytes, at, end);
      const record = this.#ssl2Client.record;
      if (record === undefined) return;
      this.#ssl2Client = undefined;
      this.#fail(
        'client',
        then(parseSsl2ClientHello(record), (hello) => this.#acceptClientHello(hello)),
      );
    }
    // SSLv2 goes on in records of its own, encrypted.
    if (this.#reported.client || this.#ssl2Server !== undefined) return;
    this.#client.feed(bytes, at, end);
    this.#fail('client', this.#client.fault);
  }

  feedServer(bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    // Only an SSLv2 hello can be answered in either framing.
    while (this.#serverStart !== undefined && at < end) {
      this.#serverStart.push(bytes[at++]!);
      if (this.#serverStart.length < 4) continue;
      const first = Uint8Array.from(this.#serverStart);
      this.#serverStart = undefined;
      if (beginsSsl2(first, SSL2.serverHello)) this.#ssl2Server = new Ssl2RecordReader();
      this.#feedServerOnce(first, 0, 4);
    }
    this.#feedServerOnce(bytes, at, end);
  }

  #feedServerOnce(bytes: Uint8Array, start: number, end: number): void {
    if (this.#reported.server || start >= end) return;
    if (this.#ssl2Server !== undefined) return this.#feedSsl2Server(bytes, start, end);
    this.#server.feed(bytes, start, end);
    this.#fail('server', this.#server.fault);
  }

  #feedSsl2Server(bytes: Uint8Array, start: number, end: number): void {
    if (this.#serverState === 'protected') return;
    this.#ssl2Server!.feed(bytes, start, end);
    const record = this.#ssl2Server!.record;
    if (record === undefined) return;
    this.#serverState = 'protected';
    const answer = then(parseSsl2ServerHello(record), (hello) => {
      this.#listener.onServerHello(SSL2_NEGOTIATED, 'static');
      if (hello.certificate.length > 0) this.#listener.onCertificate([hello.certificate]);
      this.#listener.onServerHelloDone(hello.certificate.length > 0);
      return undefined;
    });
    this.#fail('server', answer);
  }

  #clientConsumer(): FlightConsumer {
    return {
      onMessage: (type, body) => this.#onClientMessage(type, body),
      onAlert: (level, description) => this.#onAlert('client', level, description),
      onChangeCipherSpec: () => {
        // In TLS 1.3 it is a dummy, which may come before the second ClientHello (RFC 8446 appendix D.4). Of a capture
        // without the server's direction nobody can tell, and a second hello would show nothing new.
        if (this.#serverHello?.isTls13 === false || (this.#serverHello === undefined && !this.#clientFirst)) {
          this.#clientState = 'protected';
          this.#client.protect();
        }
        return undefined;
      },
      onApplicationData: (length) => {
        if (this.#clientState === 'awaitClientHello' && this.#clientFirst) {
          return misbehaved('tls.application-data.early', 0);
        }
        // Ahead of a change of keys there is none of TLS 1.2.
        if (this.#serverHello?.isTls13) this.#listener.onClientData?.(length);
        return undefined;
      },
      onProtectedRecord: (contentType) => {
        if (contentType === CONTENT.applicationData) this.#listener.onClientData?.(0);
        if (contentType !== CONTENT.handshake || this.#isClientFinished) return;
        this.#isClientFinished = true;
        this.#listener.onClientFinished?.();
      },
    };
  }

  #onClientMessage(type: number, body: Uint8Array): Fault | undefined {
    this.#listener.onMessage?.('client', type, body.length);
    if (type === HANDSHAKE.clientHello) {
      return then(parseClientHello(body), (hello) => this.#acceptClientHello(hello));
    }
    if (this.#clientState === 'awaitClientHello' && this.#clientFirst) return misbehaved('tls.handshake.order', 0);
    if (type !== HANDSHAKE.certificate) return undefined;
    return then(parseCertificateList(body, this.#limits.certificates), (certificates) => {
      this.#listener.onClientCertificate(certificates);
      return undefined;
    });
  }

  #acceptClientHello(hello: ClientHello): Fault | undefined {
    const first = this.#clientHello;
    if (first !== undefined) {
      if (this.#serverState !== 'awaitServerHello') return misbehaved('tls.client-hello.repeated', 0);
      // RFC 8446 §4.1.2: the second ClientHello is the first but for a few extensions; the name is not among them.
      if (first.serverName !== hello.serverName) return misbehaved('tls.client-hello.changed-name', 0);
    }
    this.#clientHello = hello;
    this.#isAskedAgain = false;
    this.#clientState = 'awaitClientFlight';
    this.#listener.onClientHello(hello, this.#client.recordVersion);
    return undefined;
  }

  #serverConsumer(): FlightConsumer {
    return {
      // A body that is never whole would hide what comes behind it.
      onMessageHeader: (type) =>
        type === HANDSHAKE.helloRequest || EXPECTED[this.#serverState].has(type)
          ? undefined
          : misbehaved('tls.handshake.order', 0),
      onMessage: (type, body) => this.#onServerMessage(type, body),
      onAlert: (level, description) => this.#onAlert('server', level, description),
      onChangeCipherSpec: () => this.#onServerChangeCipherSpec(),
      onApplicationData: () => misbehaved('tls.application-data.early', 0),
      onProtectedRecord: () => {
        if (!this.#isServerFinished) this.#listener.onServerFinished();
        this.#isServerFinished = true;
      },
    };
  }

  #onServerMessage(type: number, body: Uint8Array): Fault | undefined {
    this.#listener.onMessage?.('server', type, body.length);
    // RFC 5246 §7.4.1.1: a client in the midst of a handshake ignores HelloRequest.
    if (type === HANDSHAKE.helloRequest) {
      return body.length === 0 ? this.#countWarning() : malformed('tls.hello-request.syntax', 0);
    }
    switch (this.#serverState) {
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
        return this.#serverState satisfies never;
    }
  }

  #awaitServerHello(type: number, body: Uint8Array): Fault | undefined {
    // An answer before the question: a client would take it for the answer once it asks.
    if (this.#clientHello === undefined && this.#clientFirst) return misbehaved('tls.server-hello.early', 0);
    if (type !== HANDSHAKE.serverHello) return misbehaved('tls.handshake.order', 0);
    return then(parseServerHello(body), (hello) => {
      if (hello.isHelloRetryRequest && this.#serverHello?.isHelloRetryRequest) {
        return misbehaved('tls.hello-retry-request.repeated', 0);
      }
      const client = this.#clientFirst ? this.#clientHello : undefined;
      if (client !== undefined && isUnsolicited(hello, client)) return misbehaved('tls.server-hello.unsolicited', 0);
      // RFC 8446 §4.1.4: the answer to the second ClientHello is of the version that asked for it.
      if (
        this.#serverHello?.isHelloRetryRequest &&
        (this.#isAskedAgain || hello.version !== this.#serverHello.version)
      ) {
        return misbehaved('tls.server-hello.retried', 0);
      }
      this.#serverHello = hello;
      this.#isAskedAgain = hello.isHelloRetryRequest && this.#clientFirst;
      this.#keyExchange = keyExchangeOf(hello.cipherSuite);
      this.#listener.onServerHello(hello, this.#keyExchange);
      if (hello.isHelloRetryRequest) return undefined;
      this.#serverState = hello.isTls13 ? 'protected' : 'awaitCertificate';
      if (hello.isTls13) this.#server.protect(this.#listener.encryptedFlight?.());
      return undefined;
    });
  }

  #awaitCertificate(type: number, body: Uint8Array): Fault | undefined {
    switch (type) {
      case HANDSHAKE.supplementalData:
        return undefined;
      case HANDSHAKE.certificate:
        this.#sawCertificate = true;
        this.#serverState = 'awaitServerKeyExchange';
        return this.#onCertificate(body);
      case HANDSHAKE.newSessionTicket:
        this.#serverState = 'awaitChangeCipherSpec';
        return this.#onNewSessionTicket(new ByteReader(body));
      default:
        this.#serverState = 'awaitServerKeyExchange';
        return this.#awaitServerKeyExchange(type, body);
    }
  }

  #onCertificate(body: Uint8Array): Fault | undefined {
    if (this.#serverHello?.selectsRawPublicKey) {
      // RFC 7250 §3: the structure is one vector that holds a SubjectPublicKeyInfo.
      const reader = new ByteReader(body);
      const spki = reader.vector24().rest();
      if (!reader.atEnd() || spki.length === 0) return malformed('tls.certificate.syntax', 0);
      this.#listener.onRawPublicKey(spki);
      return undefined;
    }
    return then(parseCertificateList(body, this.#limits.certificates), (certificates) => {
      // RFC 5246 §7.4.2: a server's list is not empty.
      if (certificates.length === 0) return malformed('tls.certificate.none', 0);
      this.#listener.onCertificate(certificates);
      return undefined;
    });
  }

  #awaitServerKeyExchange(type: number, body: Uint8Array): Fault | undefined {
    if (type === HANDSHAKE.certificateStatus) return undefined;
    if (type !== HANDSHAKE.serverKeyExchange) {
      this.#serverState = 'awaitServerHelloDone';
      return this.#awaitServerHelloDone(type);
    }
    // RFC 5246 §7.4.3: not legal there; clients that take it have keys that nobody proved (CVE-2015-0204).
    if (this.#keyExchange === 'static' && this.#clientFirst) {
      return misbehaved('tls.server-key-exchange.unexpected', 0);
    }
    this.#sawServerKeyExchange = true;
    this.#serverState = 'awaitServerHelloDone';
    const signed = this.#keyExchange === 'ecdhe' || this.#keyExchange === 'dhe' || this.#keyExchange === 'rsa-export';
    // Without a certificate there is nothing that a signature could prove.
    if (!signed || !this.#sawCertificate) return undefined;
    return then(parseServerKeyExchange(body, this.#keyExchange, this.#serverHello!.version), (exchange) => {
      this.#listener.onServerKeyExchange(exchange);
      return undefined;
    });
  }

  #awaitServerHelloDone(type: number): Fault | undefined {
    if (type === HANDSHAKE.certificateRequest) return undefined;
    if (type !== HANDSHAKE.serverHelloDone) return misbehaved('tls.handshake.order', 0);
    // RFC 5246 §7.4.3: parameters that have to be signed have to be sent; a client stops here.
    const isDue = this.#keyExchange === 'ecdhe' || this.#keyExchange === 'dhe';
    if (isDue && !this.#sawServerKeyExchange) return misbehaved('tls.server-key-exchange.missing', 0);
    this.#serverState = 'awaitChangeCipherSpec';
    this.#listener.onServerHelloDone(this.#sawCertificate);
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
    this.#listener.onNewSessionTicket(lifetime, ticket);
    return undefined;
  }

  #onServerChangeCipherSpec(): Fault | undefined {
    if (this.#serverHello === undefined) {
      if (this.#clientFirst || this.#clientHello !== undefined) return misbehaved('tls.change-cipher-spec.early', 0);
      this.#serverState = 'protected';
      this.#server.protect();
      return undefined;
    }
    // Between a HelloRetryRequest and its answer (RFC 8446 appendix D.4).
    if (this.#serverState === 'awaitServerHello') return undefined;
    // Ahead of ServerHelloDone it would hide what is still due (RFC 5246 §7.3).
    if (this.#serverState === 'awaitServerKeyExchange' || this.#serverState === 'awaitServerHelloDone') {
      return misbehaved('tls.change-cipher-spec.early', 0);
    }
    const isClientFirst = this.#clientState === 'protected';
    // RFC 5246 §7.3: in a whole handshake the server's comes second; what comes ahead is no answer to anything.
    if (this.#sawCertificate && !isClientFirst && this.#clientFirst)
      return misbehaved('tls.change-cipher-spec.early', 0);
    const isAbbreviated = !this.#sawCertificate && !isClientFirst;
    this.#serverState = 'protected';
    this.#server.protect();
    this.#listener.onServerChangeCipherSpec(isAbbreviated);
    return undefined;
  }

  #onAlert(from: Side, level: number, description: number): Fault | undefined {
    // RFC 8446 §6: from 1.3 on, levels are ignored; only close_notify and user_canceled are no errors.
    if (level === WARNING) return this.#countWarning();
    this.#listener.onFatalAlert(from, description);
    return undefined;
  }

  #countWarning(): Fault | undefined {
    return ++this.#warnings > MAX_WARNINGS ? misbehaved('tls.warning.too-many', 0) : undefined;
  }

  #fail(from: Side, fault: Fault | undefined): void {
    if (fault === undefined || this.#reported[from]) return;
    this.#reported[from] = true;
    this.#listener.onFault(from, fault, (from === 'client' ? this.#client : this.#server).recordVersion);
  }
}

type ClientState = 'awaitClientHello' | 'awaitClientFlight' | 'protected';
type ServerState =
  | 'awaitServerHello'
  | 'awaitCertificate'
  | 'awaitServerKeyExchange'
  | 'awaitServerHelloDone'
  | 'awaitChangeCipherSpec'
  | 'protected';

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

function then<T extends object>(parsed: T | Fault, use: (value: T) => Fault | undefined): Fault | undefined {
  return isFault(parsed) ? parsed : use(parsed);
}

const WARNING = 1;
/** More than an honest server sends ahead of its answer; OpenSSL stops at five. */
const MAX_WARNINGS = 8;

const SSL2_NEGOTIATED: ServerHello = {
  body: new Uint8Array(0),
  version: VERSION.ssl2,
  isTls13: false,
  isHelloRetryRequest: false,
  random: new Uint8Array(32),
  sessionId: new Uint8Array(0),
  cipherSuite: 0,
  answersSessionTicket: false,
  selectsPsk: false,
  selectsRawPublicKey: false,
  keyShare: null,
  cookie: null,
};
