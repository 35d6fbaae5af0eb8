/** What a flow has shown so far, for its record in the log. Copies only; decides nothing. */
import { copyOf } from '../bytes/copy.ts';
import type { ClientHello } from '../tls/client-hello.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { Evidence, TlsSummary } from './events.ts';

export class FlowFacts {
  starttls: string | null = null;
  fault: string | null = null;
  /** DTLS of the version that OpenSSL spoke before there was a standard. */
  isPrestandard = false;
  sessionResumed = false;
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
  onCertificate(certificates: readonly Uint8Array[], evidence: Evidence = 'observed'): void {
    if (this.#certificates.length > 0 && this.evidence !== 'probed') return;
    this.#certificates = certificates.map((der) => copyOf(der));
    this.evidence = evidence;
  }

  /** Where the certificates come from. */
  evidence: Evidence = 'none';

  get hasCertificates(): boolean {
    return this.#certificates.length > 0;
  }

  /** Version that the record headers carried, where no ServerHello was seen. */
  recordVersion = 0;

  summary(): TlsSummary | null {
    if (!this.isTls) return null;
    return {
      sni: this.#clientHello?.serverName ?? null,
      version: this.#serverHello?.version ?? this.recordVersion,
      cipherSuite: this.#serverHello?.cipherSuite ?? 0,
      clientAlpns: this.#clientHello?.alpns ?? [],
      sessionResumed: this.sessionResumed,
      clientHello: this.#clientHello?.body ?? null,
      certificates: this.#certificates,
      clientCertificates: this.clientCertificates,
    };
  }
}
