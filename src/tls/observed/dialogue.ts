/**
 * How far a handshake has come: what each side has said, as far as the other's next message is judged by it, and what
 * holds for the messages of both. Knows no message but by what it left here.
 */
import { type Fault, isFault, misbehaved } from '../../bytes/fault.ts';
import type { ClientHello } from '../client-hello.ts';
import type { FlightLimits } from '../flight.ts';
import type { ServerHello } from '../server-hello.ts';
import type { HandshakeListener, Side } from './listener.ts';

export interface ObserverLimits extends FlightLimits {
  readonly certificates: number;
}

export type ClientState = 'awaitClientHello' | 'awaitClientFlight' | 'protected';
export type ServerState =
  | 'awaitServerHello'
  | 'awaitCertificate'
  | 'awaitServerKeyExchange'
  | 'awaitServerHelloDone'
  | 'awaitChangeCipherSpec'
  | 'protected';

export class Dialogue {
  readonly listener: HandshakeListener;
  readonly limits: ObserverLimits;
  /** False for captures of one direction, where a server's flight has no hello before it. */
  readonly clientFirst: boolean;
  clientState: ClientState = 'awaitClientHello';
  serverState: ServerState = 'awaitServerHello';
  clientHello: ClientHello | undefined;
  serverHello: ServerHello | undefined;
  /** A HelloRetryRequest has come, and no second ClientHello. */
  isAskedAgain = false;
  /** Sides of which octets were not captured: what is missing of theirs was not left out. */
  readonly cut: Record<Side, boolean> = { client: false, server: false };
  #warnings = 0;

  constructor(listener: HandshakeListener, limits: ObserverLimits, clientFirst: boolean) {
    this.listener = listener;
    this.limits = limits;
    this.clientFirst = clientFirst;
  }

  onAlert(from: Side, level: number, description: number): Fault | undefined {
    // RFC 8446 §6: from 1.3 on, levels are ignored; only close_notify and user_canceled are no errors.
    if (level === WARNING) return this.countWarning();
    this.listener.onFatalAlert(from, description);
    return undefined;
  }

  countWarning(): Fault | undefined {
    return ++this.#warnings > MAX_WARNINGS ? misbehaved('tls.warning.too-many', 0) : undefined;
  }
}

export function ifRead<T extends object>(parsed: T | Fault, use: (value: T) => Fault | undefined): Fault | undefined {
  return isFault(parsed) ? parsed : use(parsed);
}

const WARNING = 1;
/** More than an honest server sends ahead of its answer; OpenSSL stops at five. */
const MAX_WARNINGS = 8;
