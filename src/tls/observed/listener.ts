/** What is told of a handshake that somebody watches, by whoever reads it to whoever judges it. */
import type { Fault } from '../../bytes/fault.ts';
import type { KeyExchange } from '../cipher-suites.ts';
import type { ClientHello } from '../client-hello.ts';
import type { RecordConsumer } from '../record.ts';
import type { ServerHello } from '../server-hello.ts';
import type { ServerKeyExchange } from '../server-key-exchange.ts';

export type Side = 'client' | 'server';

/** Every call happens inside `feedClient` or `feedServer`; views are valid only during the call. */
export interface HandshakeListener {
  /** Every handshake message in clear, ahead of what is said of its contents; `length` without its header. */
  onMessage?(from: Side, type: number, length: number): void;
  /** The second one answers a HelloRetryRequest. `recordVersion`: of the record that it began in. */
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
