/**
 * Fetches the evidence for a certificate that does not go by in clear: from the key log, by a probe, or from the one
 * when the other has none. Owns what is waited for and how long; what evidence is worth is the judge's.
 *
 *   ClientHello ──offers 1.3──▶ the probe begins        early data ──▶ probe: the ClientHello waits for it
 *   ServerHello ──key log──▶ secret ──▶ Certificate ──▶ CertificateVerify
 *        │                     └──never, or no use──▶ probe, or nothing
 *        └───────────────────────────────────────────▶ probe ──▶ chains, or nothing
 */
import type { ClientHello } from '../tls/client-hello.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import { Decryption, type DecryptionListener } from './decryption.ts';
import type { Evidence, Reason } from './events.ts';
import type { HiddenCertificates } from './hidden-certificates.ts';
import type { JudgeContext } from './context.ts';
import type { ProbeAnswer, ProbedAlternative, ProbeRequest } from './ports.ts';
import { denies, type Finding } from './ruling.ts';

/** The judge, as it is told what was found. */
export interface EvidenceHost {
  isRuled(): boolean;
  /** `shown`: the latest first. */
  onShown(shown: readonly Omit<ProbedAlternative, 'proven'>[], evidence: Evidence): void;
  onProof(proven: boolean): void;
  /** There is no evidence: what the holders want done then. */
  onNothing(findings: readonly Finding[], fault: string | null): void;
}

/** Why no certificate goes by. */
export type HiddenBy = 'earlyData' | 'tls13' | 'resumed';

/** What leads to the keys of a handshake of TLS 1.3. */
export interface HelloMessages {
  readonly clientHello: ClientHello;
  readonly retry: { readonly request: ServerHello; readonly clientHello: ClientHello } | undefined;
  readonly serverHello: ServerHello;
}

export class HiddenEvidence {
  readonly #context: JudgeContext;
  readonly #host: EvidenceHost;
  #cases: HiddenCertificates | undefined;
  #by: HiddenBy | undefined;
  #request: Omit<ProbeRequest, 'client' | 'server'> | undefined;
  #probe: 'asked' | ProbeAnswer | undefined;
  #decryption: Decryption | undefined;
  #clientRandom: Uint8Array | undefined;
  /** The encrypted records go by unread, and cannot be read any more. */
  #isPast = false;
  #awaits: 'probe' | 'secret' | undefined;
  /** When the wait began that is on now, in microseconds. */
  #since = 0;

  constructor(context: JudgeContext, host: EvidenceHost) {
    this.#context = context;
    this.#host = host;
  }

  /** Undefined where certificates go by in clear, as far as is known. */
  get cases(): HiddenCertificates | undefined {
    return this.#cases;
  }

  get by(): HiddenBy | undefined {
    return this.#by;
  }

  /** True while what was sent has to wait for evidence. */
  get waiting(): boolean {
    return this.#awaits === 'probe' || (this.#awaits === 'secret' && (this.#decryption?.isSealed ?? false));
  }

  /** True while the client has to have what the server sends, so that it logs the secret. */
  get awaitsClient(): boolean {
    return this.#awaits === 'secret' && !this.waiting && (this.#decryption?.lacksSecret ?? false);
  }

  /** Microseconds; undefined where the judge's own limit holds. */
  get deadline(): number | undefined {
    return this.#awaits === undefined ? undefined : this.#since + this.#patience * 1000;
  }

  get awaitsSecret(): boolean {
    return this.#awaits === 'secret';
  }

  /** True while encrypted records are being read. */
  get isReading(): boolean {
    return this.#decryption?.isOpen ?? false;
  }

  /** Where, in the server's TLS stream, the encrypted records begin that wait for their secret. */
  get sealedFrom(): number | undefined {
    return this.#awaits === 'secret' ? this.#decryption?.sealedFrom : undefined;
  }

  /** What the server may be asked in the client's place: because of TLS 1.3, or of a resumption. */
  onClientHello(request: Omit<ProbeRequest, 'client' | 'server'>): void {
    this.#request = request;
  }

  /** A probe that `cases` will want begins now, and has its answer about when the client has. */
  expect(cases: HiddenCertificates): void {
    if (cases.wantsProbe && !this.#readsSecrets(cases)) this.#ask();
  }

  /** Evidence is wanted for the open ones of `cases`. */
  begin(by: HiddenBy, cases: HiddenCertificates): void {
    this.#by = by;
    this.#cases = cases;
    if (by === 'tls13' && this.#readsSecrets(cases)) this.#awaits = 'secret';
    else if (cases.wantsKeylog) this.#onNoSecret('keylog-missing', null);
    else this.#awaitProbe();
  }

  /** The name that was given to what is hidden changes; the evidence stays as it was asked for. */
  proceed(by: HiddenBy, cases: HiddenCertificates = this.#cases!): void {
    this.#by = by;
    this.#cases = cases;
  }

  /** Certificates go by in clear after all, or others have to say what is wanted. */
  reset(): void {
    this.#cases = undefined;
    this.#by = undefined;
    this.#awaits = undefined;
  }

  /** Nothing is waited for any more. */
  close(): void {
    this.#awaits = undefined;
    if (this.#context.live && this.#clientRandom !== undefined) this.#context.secrets?.forget(this.#clientRandom);
  }

  /** Who reads the records behind a ServerHello; in a capture whatever was asked for, because a secret may show it. */
  encryptedFlight({ clientHello, retry, serverHello }: HelloMessages): Decryption | undefined {
    const context = this.#context;
    const { secrets, live, snapshot } = context;
    this.#isPast = secrets === undefined || (live && this.#awaits !== 'secret');
    if (secrets === undefined || this.#isPast) return undefined;
    const decryption = new Decryption({
      hellos: {
        clientHello: clientHello.body,
        serverHello: serverHello.body,
        retry: retry && { helloRetryRequest: retry.request.body, clientHello: retry.clientHello.body },
      },
      version: serverHello.version,
      cipherSuite: serverHello.cipherSuite,
      offersRawPublicKey: clientHello.offersRawPublicKey,
      limits: snapshot.policy.limits,
      now: () => context.now() / 1000,
      listener: this.#decryptionListener(),
    });
    this.#decryption = decryption;
    this.#clientRandom = clientHello.random;
    let inTime = true;
    secrets.ask(clientHello.random, (secret) => {
      decryption.onSecret(secret);
      if (!inTime) context.settled();
    });
    inTime = false;
    if (live || !decryption.lacksSecret) return decryption;
    // A capture's secrets are all there are.
    this.#decryption = undefined;
    if (this.#awaits === 'secret') this.#onNoSecret('keylog-missing', null);
    return undefined;
  }

  /** The secret has not come in time. */
  onNoSecretInTime(): void {
    this.#onNoSecret('keylog-missing', null);
  }

  get #patience(): number {
    const { keylogWait, holdTime } = this.#context.snapshot.policy.limits;
    return this.#awaits === 'secret' ? keylogWait : holdTime;
  }

  /** Whether the key log is asked first: a capture's is at hand, whatever a gateway would have asked. */
  #readsSecrets(cases: HiddenCertificates): boolean {
    const { live, secrets } = this.#context;
    return secrets !== undefined && !this.#isPast && (cases.wantsKeylog || (!live && cases.isOpen));
  }

  /** Asks the server in the client's place, once. */
  #ask(): void {
    const context = this.#context;
    const { prober, subject } = context;
    if (this.#probe !== undefined || this.#request === undefined || prober === undefined) return;
    this.#probe = 'asked';
    let inTime = true;
    prober.probe({ ...subject, ...this.#request }, (answer) => {
      this.#probe = answer;
      if (this.#awaits !== 'probe' || this.#host.isRuled()) return;
      this.#onProbed(answer);
      if (!inTime) context.settled();
    });
    inTime = false;
  }

  #awaitProbe(): void {
    this.#awaits = 'probe';
    this.#since = this.#context.now();
    this.#ask();
    if (this.#probe === undefined) this.#onUnprobed(undefined, null);
    else if (this.#probe !== 'asked' && this.waiting) this.#onProbed(this.#probe);
  }

  #onProbed(answer: ProbeAnswer): void {
    if (answer.kind === 'failed') {
      return this.#onUnprobed('probe-failed', ['probe', answer.reason, answer.detail].filter(Boolean).join('.'));
    }
    this.#awaits = undefined;
    this.#host.onProof(answer.proven);
    this.#host.onShown([answer, ...answer.alternatives], 'probed');
  }

  /** `reason`: undefined where nobody could be asked. */
  #onUnprobed(reason: Reason | undefined, fault: string | null): void {
    this.#awaits = undefined;
    const findings = [...this.#cases!.failed(reason), ...this.#cases!.settled];
    // What the server will choose may show a certificate after all.
    if (this.#by !== 'earlyData' || findings.some(denies)) this.#host.onNothing(findings, fault);
  }

  #onNoSecret(reason: Reason, fault: string | null): void {
    this.#awaits = undefined;
    this.#cases = this.#cases!.withoutKeylog(reason);
    const { settled, isOpen } = this.#cases;
    if (!isOpen || settled.some(denies)) this.#host.onNothing(settled, fault);
    else this.#awaitProbe();
  }

  #decryptionListener(): DecryptionListener {
    const isAwaited = () => !this.#host.isRuled() && this.#awaits === 'secret';
    return {
      onSealed: () => {
        this.#since = this.#context.now();
      },
      onHiddenCertificate: (chain, isRawPublicKey) => this.#host.onShown([{ chain, isRawPublicKey }], 'decrypted'),
      onHiddenProof: (proven) => this.#host.onProof(proven),
      onHiddenFailure: (code) => {
        if (isAwaited()) this.#onNoSecret(code === 'psk' ? 'resumed-unbound' : 'keylog-missing', code);
      },
    };
  }
}
