/** Writes down what an observer reports, one line an event, so that two ways to feed it can be compared. */
import type { Fault } from '../../src/bytes/fault.ts';
import { toHex } from '../../src/bytes/hex.ts';
import type { KeyExchange } from '../../src/tls/cipher-suites.ts';
import type { ClientHello } from '../../src/tls/client-hello.ts';
import type { ObserverLimits } from '../../src/tls/observed/dialogue.ts';
import type { HandshakeListener, Side } from '../../src/tls/observed/listener.ts';
import { Observer } from '../../src/tls/observer.ts';
import type { ServerHello } from '../../src/tls/server-hello.ts';
import type { ServerKeyExchange } from '../../src/tls/server-key-exchange.ts';

export const OBSERVER_LIMITS: ObserverLimits = { handshakeBytes: 262_144, records: 256, certificates: 16 };

export class HandshakeRecorder implements HandshakeListener {
  readonly lines: string[] = [];
  clientHello: ClientHello | undefined;
  serverHello: ServerHello | undefined;
  certificates: readonly Uint8Array[] = [];
  exchange: ServerKeyExchange | undefined;
  fault: Fault | undefined;
  /** Of encrypted records only numbers are told. */
  serverFinished = 0;

  onClientHello(hello: ClientHello): void {
    this.clientHello = hello;
    this.lines.push(`ClientHello ${hello.serverName} ${toHex(hello.body)}`);
  }

  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    this.serverHello = hello;
    this.lines.push(`ServerHello ${hello.version.toString(16)} ${hello.cipherSuite.toString(16)} ${keyExchange}`);
  }

  onCertificate(certificates: readonly Uint8Array[]): void {
    this.certificates = certificates.map((der) => Uint8Array.from(der));
    this.lines.push(`Certificate ${certificates.map(toHex).join()}`);
  }

  onRawPublicKey(spki: Uint8Array): void {
    this.lines.push(`RawPublicKey ${toHex(spki)}`);
  }

  onServerKeyExchange(exchange: ServerKeyExchange): void {
    const { params, scheme, signature } = exchange;
    this.exchange = { params: Uint8Array.from(params), scheme, signature: Uint8Array.from(signature) };
    this.lines.push(`ServerKeyExchange ${toHex(params)} ${scheme.toString(16)} ${toHex(signature)}`);
  }

  onServerHelloDone(sawCertificate: boolean): void {
    this.lines.push(`ServerHelloDone ${sawCertificate}`);
  }

  onNewSessionTicket(lifetimeSeconds: number, ticket: Uint8Array): void {
    this.lines.push(`NewSessionTicket ${lifetimeSeconds} ${toHex(ticket)}`);
  }

  onServerChangeCipherSpec(isAbbreviated: boolean): void {
    this.lines.push(`ServerChangeCipherSpec ${isAbbreviated ? 'abbreviated' : 'full'}`);
  }

  onServerFinished(): void {
    this.serverFinished++;
  }

  onClientCertificate(certificates: readonly Uint8Array[]): void {
    this.lines.push(`ClientCertificate ${certificates.map(toHex).join()}`);
  }

  onFatalAlert(from: Side, description: number): void {
    this.lines.push(`FatalAlert ${from} ${description}`);
  }

  onFault(from: Side, fault: Fault): void {
    this.fault = fault;
    this.lines.push(`Fault ${from} ${fault.family} ${fault.code}`);
  }

  /** The names of what was reported, without contents. */
  get names(): string[] {
    return this.lines.map((line) => line.split(' ')[0]!);
  }
}

/** A piece of one side's octets. */
export type Fed = readonly [side: Side, octets: Uint8Array];

/** Feeds the pieces in their order, each cut into pieces of `size`. */
export function watch(
  fed: readonly Fed[],
  options: { size?: number; limits?: Partial<ObserverLimits>; isSsl2?: boolean; clientFirst?: boolean } = {},
): HandshakeRecorder & { observer: Observer } {
  const recorder = new HandshakeRecorder();
  const observer = new Observer(
    recorder,
    { ...OBSERVER_LIMITS, ...options.limits },
    { isSsl2: options.isSsl2 ?? false, clientFirst: options.clientFirst ?? true },
  );
  for (const [side, octets] of fed) {
    const size = options.size ?? Infinity;
    for (let at = 0; at < octets.length; at += size) {
      // Each piece lies in a buffer of its own, which is spoiled afterwards: views do not live longer than the call.
      const piece = Uint8Array.from([0xee, ...octets.subarray(at, Math.min(at + size, octets.length)), 0xee]);
      if (side === 'client') observer.feedClient(piece, 1, piece.length - 1);
      else observer.feedServer(piece, 1, piece.length - 1);
      piece.fill(0xdd);
    }
  }
  return Object.assign(recorder, { observer });
}
