/**
 * The client's messages in the order that the protocol allows, up to where its keys change:
 *
 *   awaitClientHello ─▶ awaitClientFlight ─▶ protected
 */
import { type Fault, misbehaved } from '../../bytes/fault.ts';
import { parseCertificateList } from '../certificate.ts';
import { type ClientHello, parseClientHello } from '../client-hello.ts';
import { CONTENT, HANDSHAKE } from '../constants.ts';
import { Flight, type FlightConsumer } from '../flight.ts';
import { type Dialogue, ifRead } from './dialogue.ts';

export class ClientSide implements FlightConsumer {
  readonly flight: Flight;
  readonly #dialogue: Dialogue;
  #isFinished = false;

  constructor(dialogue: Dialogue) {
    this.#dialogue = dialogue;
    this.flight = new Flight(dialogue.limits, this);
  }

  /** Behind what was not captured anything may seem to be a message. */
  onMessageHeader(type: number): Fault | undefined {
    return this.#dialogue.cut.client && !FROM_CLIENT.has(type) ? misbehaved('tls.handshake.order', 0) : undefined;
  }

  onMessage(type: number, body: Uint8Array): Fault | undefined {
    const { listener, limits, clientState, clientFirst } = this.#dialogue;
    listener.onMessage?.('client', type, body.length);
    if (type === HANDSHAKE.clientHello) return ifRead(parseClientHello(body), (hello) => this.accept(hello));
    if (clientState === 'awaitClientHello' && clientFirst) return misbehaved('tls.handshake.order', 0);
    if (type !== HANDSHAKE.certificate) return undefined;
    return ifRead(parseCertificateList(body, limits.certificates), (certificates) => {
      listener.onClientCertificate(certificates);
      return undefined;
    });
  }

  accept(hello: ClientHello): Fault | undefined {
    const dialogue = this.#dialogue;
    const first = dialogue.clientHello;
    if (first !== undefined) {
      if (dialogue.serverState !== 'awaitServerHello') return misbehaved('tls.client-hello.repeated', 0);
      // RFC 8446 §4.1.2: the second ClientHello is the first but for a few extensions; the name is not among them.
      if (first.serverName !== hello.serverName) return misbehaved('tls.client-hello.changed-name', 0);
    }
    dialogue.clientHello = hello;
    dialogue.cut.client = false;
    dialogue.isAskedAgain = false;
    dialogue.clientState = 'awaitClientFlight';
    dialogue.listener.onClientHello(hello, this.flight.recordVersion);
    return undefined;
  }

  onAlert(level: number, description: number): Fault | undefined {
    return this.#dialogue.onAlert('client', level, description);
  }

  onChangeCipherSpec(): Fault | undefined {
    const { serverHello, clientFirst } = this.#dialogue;
    // In TLS 1.3 it is a dummy, which may come before the second ClientHello (RFC 8446 appendix D.4). Of a capture
    // without the server's direction nobody can tell, and a second hello would show nothing new.
    if (serverHello?.isTls13 === false || (serverHello === undefined && !clientFirst)) {
      this.#dialogue.clientState = 'protected';
      this.flight.protect();
    }
    return undefined;
  }

  onApplicationData(length: number): Fault | undefined {
    const { clientState, clientFirst, serverHello, listener } = this.#dialogue;
    if (clientState === 'awaitClientHello' && clientFirst) return misbehaved('tls.application-data.early', 0);
    // Ahead of a change of keys there is none of TLS 1.2.
    if (serverHello?.isTls13) listener.onClientData?.(length);
    return undefined;
  }

  onProtectedRecord(contentType: number): void {
    const { listener } = this.#dialogue;
    if (contentType === CONTENT.applicationData) listener.onClientData?.(0);
    if (contentType !== CONTENT.handshake || this.#isFinished) return;
    this.#isFinished = true;
    listener.onClientFinished?.();
  }
}

/** What a client sends in clear up to TLS 1.2 (RFC 5246 §7.4). */
const FROM_CLIENT: ReadonlySet<number> = new Set([
  HANDSHAKE.clientHello,
  HANDSHAKE.certificate,
  HANDSHAKE.certificateVerify,
  HANDSHAKE.clientKeyExchange,
]);
