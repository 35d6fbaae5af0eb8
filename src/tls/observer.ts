/**
 * What a handshake shows to somebody who only watches: both directions' octets, in whatever framing they come, up to the
 * point where encryption hides the rest. What may follow what is for client-side.ts and server-side.ts to say. Reports
 * what was seen; whether that is good is not decided here.
 */
import type { Fault } from '../bytes/fault.ts';
import { VERSION } from './constants.ts';
import { ClientSide } from './observed/client-side.ts';
import { Dialogue, type ObserverLimits, ifRead } from './observed/dialogue.ts';
import type { HandshakeListener, Side } from './observed/listener.ts';
import { ServerSide } from './observed/server-side.ts';
import type { ServerHello } from './server-hello.ts';
import { beginsSsl2, parseSsl2ClientHello, parseSsl2ServerHello, SSL2, Ssl2RecordReader } from './ssl2.ts';

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

export class Observer {
  readonly #dialogue: Dialogue;
  readonly #client: ClientSide;
  readonly #server: ServerSide;
  #ssl2Client: Ssl2RecordReader | undefined;
  #ssl2Server: Ssl2RecordReader | undefined;
  #serverStart: number[] | undefined;
  #reported = { client: false, server: false };

  constructor(listener: HandshakeListener, limits: ObserverLimits, options: { isSsl2: boolean; clientFirst: boolean }) {
    this.#dialogue = new Dialogue(listener, limits, options.clientFirst);
    this.#client = new ClientSide(this.#dialogue);
    this.#server = new ServerSide(this.#dialogue);
    if (options.isSsl2) {
      this.#ssl2Client = new Ssl2RecordReader();
      this.#serverStart = [];
    }
  }

  /** True where the client would read an alert record that is sent to it now. */
  get serverAtBoundary(): boolean {
    const { flight } = this.#server;
    return this.#dialogue.serverState !== 'protected' && flight.fault === undefined && flight.atRecordBoundary;
  }

  /** True between records of the client's. */
  get clientAtBoundary(): boolean {
    return this.#client.flight.atRecordBoundary;
  }

  /** Up to where the server's octets were understood. */
  get serverPoint(): ServerPoint {
    if (this.#reported.server || this.#server.flight.fault !== undefined) return 'fault';
    const { clientHello, serverHello, serverState, isAskedAgain } = this.#dialogue;
    switch (serverState) {
      case 'awaitServerHello':
        if (clientHello === undefined) return 'unasked';
        return isAskedAgain ? 'hello-retry-request' : 'unanswered';
      case 'awaitCertificate':
        return 'server-hello';
      case 'awaitServerKeyExchange':
        return 'certificate';
      case 'awaitServerHelloDone':
        return 'key-exchange';
      case 'awaitChangeCipherSpec':
        return 'end';
      case 'protected':
        return serverHello?.isTls13 ? 'encrypted' : 'end';
      default:
        return serverState satisfies never;
    }
  }

  /** What the server has chosen. */
  get serverHello(): ServerHello | undefined {
    return this.#dialogue.serverHello;
  }

  /** True between messages and between records of the server's. */
  get serverBetweenMessages(): boolean {
    return this.#serverStart === undefined && this.#ssl2Server === undefined && this.#server.flight.atBoundary;
  }

  /** Octets of the server's that were read as TLS. */
  get serverOctets(): number {
    return this.#server.flight.octets;
  }

  /** True when neither direction will show anything more. */
  get done(): boolean {
    const { clientState, serverState, serverHello } = this.#dialogue;
    return serverState === 'protected' && (clientState === 'protected' || serverHello?.isTls13 === true);
  }

  /** The version that an alert record to this client should carry. */
  get recordVersion(): number {
    const { clientHello, serverHello } = this.#dialogue;
    const version = serverHello?.version ?? clientHello?.legacyVersion ?? VERSION.tls12;
    return version >= VERSION.ssl3 && version <= VERSION.tls12 ? version : VERSION.tls12;
  }

  /** `octets` of a side's were not captured. */
  skip(side: Side, octets: number): void {
    this.#dialogue.cut[side] = true;
    const { flight } = side === 'client' ? this.#client : this.#server;
    if (octets === 0) return;
    flight.skip(octets);
    // Records of SSLv2 tell no more where the next one begins.
    if (this.#ssl2Client !== undefined || this.#ssl2Server !== undefined)
      this.#reported = { client: true, server: true };
  }

  feedClient(bytes: Uint8Array, start: number, end: number): void {
    if (this.#reported.client) return;
    let at = start;
    if (this.#ssl2Client !== undefined) {
      at += this.#ssl2Client.feed(bytes, at, end);
      const record = this.#ssl2Client.record;
      if (record === undefined) return;
      this.#ssl2Client = undefined;
      this.#fail(
        'client',
        ifRead(parseSsl2ClientHello(record), (hello) => this.#client.accept(hello)),
      );
    }
    // SSLv2 goes on in records of its own, encrypted.
    if (this.#reported.client || this.#ssl2Server !== undefined) return;
    const { flight } = this.#client;
    flight.feed(bytes, at, end);
    this.#fail('client', flight.fault);
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
    const { flight } = this.#server;
    flight.feed(bytes, start, end);
    this.#fail('server', flight.fault);
  }

  #feedSsl2Server(bytes: Uint8Array, start: number, end: number): void {
    if (this.#dialogue.serverState === 'protected') return;
    this.#ssl2Server!.feed(bytes, start, end);
    const record = this.#ssl2Server!.record;
    if (record === undefined) return;
    this.#dialogue.serverState = 'protected';
    const { listener } = this.#dialogue;
    const answer = ifRead(parseSsl2ServerHello(record), (hello) => {
      listener.onServerHello(SSL2_NEGOTIATED, 'static');
      if (hello.certificate.length > 0) listener.onCertificate([hello.certificate]);
      listener.onServerHelloDone(hello.certificate.length > 0);
      return undefined;
    });
    this.#fail('server', answer);
  }

  #fail(from: Side, fault: Fault | undefined): void {
    if (fault === undefined || this.#reported[from]) return;
    this.#reported[from] = true;
    const { flight } = from === 'client' ? this.#client : this.#server;
    this.#dialogue.listener.onFault(from, fault, flight.recordVersion);
  }
}

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
  maxFragmentLength: null,
  keyShare: null,
  cookie: null,
};
