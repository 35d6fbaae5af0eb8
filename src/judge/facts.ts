/** What a flow has shown so far, for its record in the log. Copies only; decides nothing. */
import type { ClientHello } from '../tls/client-hello.ts';
import { VERSION } from '../tls/constants.ts';
import { ja4 } from '../tls/ja4.ts';
import type { Side } from '../tls/observed/listener.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { PresentedCertificate } from '../x509/presented.ts';
import type { Evidence, TlsSummary } from './events.ts';
import { Milestones } from './milestones.ts';

export class FlowFacts {
  starttls: string | null = null;
  /** The name that a proxy was asked for, where TLS asks for another or none. */
  fronted: string | null = null;
  fault: string | null = null;
  /** DTLS of the version that OpenSSL spoke before there was a standard. */
  isPrestandard = false;
  sessionResumed = false;
  readonly milestones = new Milestones();
  /** Sides of which something was not captured. */
  readonly gaps: Side[] = [];
  /** The server's ChangeCipherSpec was seen: nothing more will show. */
  serverFinished = false;
  alerted = false;
  clientCertificates: readonly Uint8Array[] = [];
  #certificates: readonly Uint8Array[] = [];
  #clientHello: ClientHello | undefined;
  #serverHello: ServerHello | undefined;

  get isTls(): boolean {
    return this.#clientHello !== undefined || this.#serverHello !== undefined || this.#certificates.length > 0;
  }

  get serverName(): string | null {
    return this.#clientHello?.serverName ?? null;
  }

  onClientHello(hello: ClientHello): void {
    this.#clientHello ??= hello;
  }

  onServerHello(hello: ServerHello): void {
    this.#serverHello = hello;
  }

  /** What goes by on the wire counts more than what a probe was shown. */
  onCertificate(chain: readonly PresentedCertificate[], evidence: Evidence = 'observed'): void {
    if (this.#certificates.length > 0 && this.evidence !== 'probed') return;
    this.#certificates = chain.map(({ der }) => der);
    this.evidence = evidence;
  }

  /** Where the certificates come from. */
  evidence: Evidence = 'none';

  get hasCertificates(): boolean {
    return this.#certificates.length > 0;
  }

  /** Version that the record headers carried, where no ServerHello was seen. */
  recordVersion = 0;

  #version(): number {
    return this.#serverHello?.version ?? this.recordVersion;
  }

  /** What DTLS speaks was read as the TLS that it is made of; the log says what was on the wire. */
  #dtlsVersion(): number {
    if (this.isPrestandard) return VERSION.dtls10OpenSsl;
    return DTLS_VERSIONS.get(this.#version()) ?? this.#version();
  }

  /** `datagrams`: what carries the TLS, where it is not TCP. */
  summary(datagrams?: 'quic' | 'dtls'): TlsSummary | null {
    if (!this.isTls) return null;
    return {
      sni: this.#clientHello?.serverName ?? null,
      version: datagrams === 'dtls' ? this.#dtlsVersion() : this.#version(),
      cipherSuite: this.#serverHello?.cipherSuite ?? 0,
      clientAlpns: this.#clientHello?.alpns ?? [],
      sessionResumed: this.sessionResumed || this.#serverHello?.selectsPsk === true,
      ja4: this.#ja4(datagrams),
      sawClientHello: this.#clientHello !== undefined,
      certificates: this.#certificates,
      clientCertificates: this.clientCertificates,
    };
  }

  #ja4(datagrams: 'quic' | 'dtls' | undefined): string | null {
    const hello = this.#clientHello;
    if (hello === undefined) return null;
    const { body, pattern } = hello;
    if (datagrams !== undefined) return ja4(datagrams === 'dtls' ? withDtlsVersion(body) : body, datagrams);
    return pattern === undefined ? ja4(body) : (pattern.ja4 ??= ja4(body));
  }
}

function withDtlsVersion(clientHello: Uint8Array): Uint8Array {
  const out = new Uint8Array(clientHello);
  const version = DTLS_VERSIONS.get((out[0]! << 8) | out[1]!);
  if (version === undefined) return out;
  out[0] = version >> 8;
  out[1] = version;
  return out;
}

const DTLS_VERSIONS: ReadonlyMap<number, number> = new Map([
  [VERSION.tls11, VERSION.dtls10],
  [VERSION.tls12, VERSION.dtls12],
]);
