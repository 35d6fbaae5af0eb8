/**
 * Decides one flow from what its handshake shows: selects pinsets by the ClientHello, judges the Certificate, waits for
 * the proof, and applies a situation where no certificate can decide. Makes one ruling, once; after it only facts are
 * gathered. Knows no packets: who may have which octet is for the connection.
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import { recordsHosts } from '../pins/match/learning.ts';
import type { Situations } from '../pins/policy.ts';
import { nextChange } from '../pins/match/match.ts';
import type { Selection } from '../pins/match/snapshot.ts';
import { authenticationOf, type KeyExchange } from '../tls/cipher-suites.ts';
import { type ClientHello, offersTls13 } from '../tls/client-hello.ts';
import { HANDSHAKE, VERSION } from '../tls/constants.ts';
import type { HandshakeListener, Side } from '../tls/observer.ts';
import type { RecordConsumer } from '../tls/record.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { ServerKeyExchange } from '../tls/server-key-exchange.ts';
import { type PresentedCertificate, presentRawPublicKey } from '../x509/presented.ts';
import { ChainJudgement, mergeMarks } from './chain-judgement.ts';
import { Continuation } from './continuation.ts';
import { effectiveName } from './effective-name.ts';
import type { Evidence, Reason } from './events.ts';
import { Examination } from './examination.ts';
import { FlowFacts } from './facts.ts';
import { type HiddenCertificates, hiddenInResumption, hiddenInTls13 } from './hidden-certificates.ts';
import { type EvidenceHost, type HiddenBy, HiddenEvidence } from './hidden-evidence.ts';
import type { JudgeContext, WatchedMessage } from './context.ts';
import { limitOf } from './limit-faults.ts';
import type { ProbedAlternative } from './ports.ts';
import { pinsetsToTell, Possession } from './possession.ts';
import { ACCEPT, denies, type Finding, rule, type Ruling, withReported } from './ruling.ts';
import { SessionBinding } from './session-binding.ts';
import {
  applyOpenSituation,
  applySituation,
  denyWhere,
  type Holder,
  holdersOf,
  type OpenDecision,
  type SituationKey,
} from './situation.ts';

export class Judge implements HandshakeListener {
  readonly facts = new FlowFacts();
  readonly session = new SessionBinding();
  readonly continuation = new Continuation();
  readonly #context: JudgeContext;
  #selection: Selection | undefined;
  /** Of the selection. */
  #selectedHolders: readonly Holder[] | undefined;
  #ruling: Ruling | undefined;
  #hello: ClientHello | undefined;
  /** The HelloRetryRequest, and the second ClientHello that it asked for. */
  #retryRequest: ServerHello | undefined;
  #secondHello: ClientHello | undefined;
  #serverHello: ServerHello | undefined;
  /** As presented, the leaf first; of probes what each was shown, the latest first. */
  #chains: readonly (readonly PresentedCertificate[])[] = [];
  #evidence: Evidence = 'observed';
  #examination: Examination | undefined;
  readonly #reported: Finding[] = [];
  #watched: Omit<WatchedMessage, 'sni' | 'leaf'> | undefined;
  #isFlightWhole = false;
  readonly #possession = new Possession();
  readonly #hidden: HiddenEvidence;
  /** Until when sessions stand for what was matched: then a pin comes into use or goes out of it. In milliseconds. */
  #bindsUntil = Infinity;
  /** When chains were asked about, in microseconds. */
  #examinedAt = 0;

  constructor(context: JudgeContext) {
    this.#context = context;
    this.#hidden = new HiddenEvidence(context, this.#evidenceHost());
  }

  get sawClientHello(): boolean {
    return this.#hello !== undefined;
  }

  get ruling(): Ruling | undefined {
    return this.#ruling;
  }

  /** Names of the pinsets that have to be satisfied; null until they are selected. */
  get selectedPinsets(): readonly string[] | null {
    return this.#selection?.require.map(({ name }) => name) ?? null;
  }

  /** True while an answer from outside is awaited that may still deny: the octets that completed the question wait. */
  get waiting(): boolean {
    return this.#ruling === undefined && (this.#hidden.waiting || (this.#examination?.waiting ?? false));
  }

  /** When waiting has to end, in microseconds. */
  get deadline(): number {
    const { holdTime } = this.#context.snapshot.policy.limits;
    return this.#hidden.waiting ? this.#hidden.deadline! : this.#examinedAt + holdTime * 1000;
  }

  /** What was awaited has not come in time. */
  onDeadline(): void {
    if (this.#hidden.awaitsSecret && this.#hidden.waiting) return this.#hidden.onNoSecretInTime();
    this.#context.count('holdTime');
    this.#settle('overload', 'overload', 'hold-time');
  }

  /** True while nothing of the client's may reach the server: it carries early data. */
  get holdsClient(): boolean {
    return this.#hidden.by === 'earlyData' && this.waiting;
  }

  /**
   * Where, in the server's TLS stream, that begins which waits for its secret: what comes before it goes, because the
   * client logs the secret only once it has the ServerHello.
   */
  get sealedFrom(): number | undefined {
    return this.#hidden.sealedFrom;
  }

  /** True while encrypted records are being read. */
  get isReading(): boolean {
    return this.#hidden.isReading;
  }

  /** Whether a denial that the client should be able to read may still come. */
  get mayDeny(): boolean {
    if (this.#ruling !== undefined || this.#selection === undefined) return false;
    const { require, deny, rules } = this.#selection;
    return (
      require.some(({ mode, deny: denied }) => mode === 'enforce' || (mode === 'learn' && denied.length > 0)) ||
      deny.some((pinset) => pinset.mode !== 'report-only') ||
      rules.some((each) => each.verdict.action !== 'accept')
    );
  }

  /** Whether the server has shown that it has the leaf's key; without a signature only its holder gets any further. */
  get isProven(): boolean {
    return this.#possession.isShown;
  }

  /** The server waits for the client, so nothing of its may wait here: for a second hello, or for a key to be logged. */
  get awaitsClient(): boolean {
    const isAskedAgain = this.#serverHello?.isHelloRetryRequest ?? false;
    return this.#ruling === undefined && (isAskedAgain || this.#hidden.awaitsClient);
  }

  onMessage(from: Side, messageType: number, length: number): void {
    this.#watched = { from, messageType, length };
    // These two are shown with what they contain.
    if (messageType !== HANDSHAKE.clientHello && messageType !== HANDSHAKE.certificate) this.#show();
  }

  onClientHello(hello: ClientHello, recordVersion: number): void {
    this.facts.onClientHello(hello);
    if (this.#hello !== undefined) {
      this.#secondHello = hello;
      this.#serverHello = undefined;
      return;
    }
    this.#hello = hello;
    this.#show();
    if (!hello.isServerNameValid) return this.#settle('parseError', 'parse-error', 'tls.client-hello.server-name');
    const { snapshot, subject } = this.#context;
    const serverName = effectiveName(hello.serverName);
    this.#selectedHolders = undefined;
    this.#selection = snapshot.select(subject, serverName);
    if (serverName === null) this.#settleNoName();
    const { require, deny, rules } = this.#selection;
    if (require.length + deny.length + rules.length === 0) return this.#settleUnpinned();
    if (hello.offersEch) this.#settleIfDecided((situations) => situations.ech, 'ech');
    if (this.#ruling !== undefined) return;
    this.#hidden.onClientHello({ clientHello: hello.body, recordVersion, starttls: this.facts.starttls });
    if (!offersTls13(hello)) return;
    if (!this.#context.clearServers.has(subject.server, serverName)) this.#hidden.expect(hiddenInTls13(this.#holders));
    if (hello.offersEarlyData) this.#onEarlyData();
  }

  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    this.facts.onServerHello(hello);
    this.#serverHello = hello;
    if (hello.isHelloRetryRequest) this.#retryRequest = hello;
    if (hello.isHelloRetryRequest) return;
    this.#possession.keyExchange = keyExchange;
    if (this.#ruling !== undefined) return;
    this.#noteChoice(hello.isTls13);
    this.#settleDenials((situations) => hello.version < situations.checks.minVersion, 'min-version');
    if (!hello.isTls13 && !KNOWN_VERSIONS.has(hello.version)) {
      this.#settle('parseError', 'parse-error', 'tls.server-hello.version');
    }
    if (hello.isTls13) this.#onHidden('tls13', hiddenInTls13(this.#holders));
    else if (this.#hidden.by !== undefined) this.#forgetHidden();
    if (keyExchange === 'anonymous') this.#settle('anonymous', 'anonymous');
    else if (keyExchange === 'psk') this.#settle('psk', 'anonymous');
  }

  /** Records that follow a ServerHello of TLS 1.3 are read where a secret may open them. */
  encryptedFlight(): RecordConsumer | undefined {
    if (this.#hello === undefined) return undefined;
    const [request, second] = [this.#retryRequest, this.#secondHello];
    const retry = request && second && { request, clientHello: second };
    return this.#hidden.encryptedFlight({ clientHello: this.#hello, retry, serverHello: this.#serverHello! });
  }

  onCertificate(certificates: readonly Uint8Array[]): void {
    const chain = certificates.map((der) => this.#context.present(der));
    this.facts.onCertificate(chain);
    this.#show(chain[0]!.der);
    if (this.#ruling === undefined) this.#judge([chain], 'observed');
  }

  onRawPublicKey(spki: Uint8Array): void {
    this.#settleRawPublicKey();
    if (this.#ruling === undefined) this.#judge([[presentRawPublicKey(spki)]], 'observed');
  }

  onServerKeyExchange(exchange: ServerKeyExchange): void {
    if (!this.#possession.isAwaited) return;
    const spki = this.#chains[0]?.[0]?.spki;
    const clientRandom = this.#hello?.random ?? EMPTY;
    const proven =
      spki !== null &&
      spki !== undefined &&
      this.#context.proves({
        spki,
        version: this.#serverHello!.version,
        scheme: exchange.scheme,
        authentication: authenticationOf(this.#serverHello!.cipherSuite),
        signed: Buffer.concat([clientRandom, this.#serverHello!.random, exchange.params]),
        signature: exchange.signature,
      });
    this.#possession.settle(proven);
    this.#conclude();
  }

  onServerHelloDone(sawCertificate: boolean): void {
    if (!sawCertificate) return this.#settleNoCertificate();
    this.#isFlightWhole = true;
    this.#possession.giveUp();
    this.#conclude();
  }

  onNewSessionTicket(lifetimeSeconds: number, ticket: Uint8Array): void {
    this.session.onTicket(lifetimeSeconds, ticket);
  }

  onServerChangeCipherSpec(isAbbreviated: boolean): void {
    this.facts.serverFinished = true;
    if (isAbbreviated) this.#onAbbreviated();
  }

  onServerFinished(): void {
    this.session.isServerFinished = true;
  }

  /** The client has taken what the server handed out. */
  confirmSession(): void {
    for (const { octets, lifetimeSeconds } of this.session.confirm()) this.#remember(octets, lifetimeSeconds);
  }

  onClientCertificate(certificates: readonly Uint8Array[]): void {
    this.facts.clientCertificates = certificates.map((der) => copyOf(der));
  }

  onClientData(length: number): void {
    this.continuation.onData(length);
  }

  onFatalAlert(): void {
    this.facts.alerted = true;
  }

  onFault(from: Side, fault: Fault, recordVersion: number): void {
    this.facts.fault ??= fault.code;
    if (from === 'server') this.facts.recordVersion = recordVersion;
    const limit = limitOf(fault.code);
    if (limit !== undefined) this.#context.count(limit);
    this.#settle('parseError', limit === undefined ? 'parse-error' : 'limit', `${from}: ${fault.code}`);
  }

  /** The connection is gone: nobody waits for anything. */
  close(): void {
    this.#hidden.close();
  }

  /** For captures: what was taken for no TLS at all turns to TLS later on. */
  restart(): void {
    if (this.#ruling?.reason === 'not-tls') this.#ruling = undefined;
  }

  /** The configuration has changed: what was selected by the name is selected again, and judged again by that. */
  reselect(): void {
    if (this.#ruling !== undefined || this.#selection === undefined) return;
    const { snapshot, subject } = this.#context;
    this.#selectedHolders = undefined;
    this.#selection = snapshot.select(subject, effectiveName(this.#hello?.serverName ?? null));
    const { by } = this.#hidden;
    if (by === undefined) return this.#chains.length > 0 ? this.#judge(this.#chains, 'observed') : undefined;
    if (this.#evidence === 'decrypted') return this.#rejudgeDecrypted(by);
    this.#forgetHidden();
    if (by === 'earlyData') this.#onEarlyData();
    else if (by === 'tls13') this.#onHidden('tls13', hiddenInTls13(this.#holders));
    else this.#onHidden('resumed', this.#hiddenInResumption());
  }

  /** For datagrams, which have no sequence: what was accepted turns out not to be what the client may have got. */
  revoke(): void {
    if (this.#ruling?.action !== 'accept' || this.facts.fault === null) return;
    this.#ruling = undefined;
    this.continuation.giveUp();
    this.#settle('parseError', 'overlap-conflict', this.facts.fault);
  }

  /** The engine's own causes: TCP conflicts, deadlines, limits, bytes that are not TLS. */
  settleBy(key: SituationKey, reason: Reason, fault: string | null = null): void {
    this.#settle(key, reason, fault);
  }

  /** What the situation `starttls` says of an upgrade that begins. */
  onUpgrade(protocol: string): void {
    this.facts.starttls = protocol;
    this.#settleIfDecided(
      (situations) => (situations.starttls === 'inspect' ? 'hold' : situations.starttls),
      'starttls',
    );
  }

  #show(leaf: Uint8Array | null = null): void {
    const { watch } = this.#context;
    if (watch !== undefined && this.#watched !== undefined) {
      watch({ ...this.#watched, sni: this.#hello?.serverName ?? null, leaf });
    }
  }

  #noteChoice(isTls13: boolean): void {
    const { clearServers, subject } = this.#context;
    const hello = this.#hello;
    if (hello === undefined || !offersTls13(hello)) return;
    clearServers.onChoice(subject.server, effectiveName(hello.serverName), isTls13);
  }

  #hiddenInResumption(): HiddenCertificates {
    const { sessions, subject } = this.#context;
    const now = this.#context.now();
    const ticket = this.#hello?.sessionTicket ?? EMPTY;
    // What a client offers besides a ticket is an id of its own making (RFC 5077 §3.4).
    const credential = ticket.length > 0 ? ticket : (this.#hello?.sessionId ?? EMPTY);
    return hiddenInResumption(this.#holders, (pinset) =>
      sessions.isBound(subject.server.address, credential, pinset === null ? [] : [pinset.name], now),
    );
  }

  /** Early data would reach the server ahead of any decision; what cannot be decided ahead of it is denied now. */
  #onEarlyData(): void {
    const of = ({ earlyData, tls13 }: Situations) =>
      earlyData === 'hold' ? (tls13 === 'deny' || tls13 === 'keylog' ? 'deny' : 'hold') : earlyData;
    this.#settleIfDecided(of, 'no-certificate');
    const holders = this.#holders;
    const isHeld = this.#context.live && holders.some(({ situations }) => situations.earlyData === 'hold');
    const cases = hiddenInTls13(holders).withoutKeylog('keylog-missing');
    if (this.#ruling === undefined && isHeld && cases.isOpen) this.#hidden.begin('earlyData', cases);
  }

  /** No certificate goes by: the evidence comes from elsewhere, or a situation decides. */
  #onHidden(by: 'tls13' | 'resumed', cases: HiddenCertificates): void {
    this.#isFlightWhole = true;
    if (this.#hidden.by === 'earlyData' && this.#examination !== undefined) {
      this.#hidden.proceed(by);
      return this.#conclude();
    }
    const { settled } = cases;
    if (cases.isOpen && !settled.some(denies)) return this.#hidden.begin(by, cases);
    const isBound = settled.some(({ reason }) => reason === 'resumed-bound');
    this.#rule(settled, null, isBound ? 'resumed' : 'none');
  }

  #forgetHidden(): void {
    this.#hidden.reset();
    this.#examination = undefined;
    this.#possession.forget();
    this.#isFlightWhole = false;
    this.#chains = [];
  }

  #rejudgeDecrypted(by: HiddenBy): void {
    const cases = hiddenInTls13(this.#holders);
    this.#hidden.proceed(by, cases);
    if (cases.settled.some(denies)) this.#rule(cases.settled, null, 'none');
    else this.#judge(this.#chains, 'decrypted');
  }

  #evidenceHost(): EvidenceHost {
    return {
      isRuled: () => this.#ruling !== undefined,
      onShown: (shown, evidence) => {
        const chains = shown.map((each) => this.#presentedBy(each));
        if (!shown[0]!.isRawPublicKey) this.facts.onCertificate(chains[0]!, evidence);
        if (shown.some((each) => each.isRawPublicKey)) this.#settleRawPublicKey();
        if (this.#ruling !== undefined) return;
        // Behind a Certificate that is decrypted comes its proof.
        this.#isFlightWhole = evidence === 'probed' && this.#hidden.by !== 'earlyData';
        this.#judge(chains, evidence);
      },
      onProof: (proven) => {
        this.#possession.settle(proven);
        if (this.#evidence === 'decrypted') this.#isFlightWhole = true;
        this.#conclude();
      },
      onNothing: (findings, fault) => this.#rule(findings, null, 'none', fault),
    };
  }

  #presentedBy({ chain, isRawPublicKey }: Omit<ProbedAlternative, 'proven'>): PresentedCertificate[] {
    return isRawPublicKey ? [presentRawPublicKey(chain[0]!)] : chain.map((der) => this.#context.present(der));
  }

  #settleRawPublicKey(): void {
    if (this.#ruling !== undefined) return;
    this.#settleIfDecided(
      (situations) => (situations.rawPublicKey === 'pin' ? 'hold' : situations.rawPublicKey),
      'raw-public-key',
    );
  }

  /** Several chains: what probes were shown, the latest first. */
  #judge(chains: readonly (readonly PresentedCertificate[])[], evidence: Evidence): void {
    const { snapshot, examiner } = this.#context;
    const now = this.#context.now();
    const selected = this.#selection ?? NOTHING_SELECTED;
    const selection = this.#hidden.cases?.narrow(selected) ?? selected;
    const serverName = effectiveName(this.#hello?.serverName ?? null);
    const judgements = chains.map((chain) => new ChainJudgement(snapshot, selection, chain, serverName, now / 1000));
    const examination = new Examination(judgements, evidence === 'probed');
    this.#chains = chains;
    this.#evidence = evidence;
    this.#examination = examination;
    if (examination.final !== undefined) return this.#rule([examination.final]);
    if (evidence !== 'probed') this.#possession.awaitFor(this.#selection?.require ?? []);
    this.#examinedAt = now;
    examination.ask(examiner, () => {
      // Another configuration has asked again meanwhile.
      if (this.#examination !== examination || examination.waiting) return;
      this.#conclude();
      this.#context.settled();
    });
    this.#conclude();
  }

  /**
   * Every answer is there: a mismatch is decided now; a match that wants a proof waits for the server's signature, and
   * every match for the end of the flight, because a careless client might take a second Certificate behind the first.
   */
  #conclude(): void {
    const examination = this.#examination;
    if (this.#ruling !== undefined || examination === undefined || examination.waiting) return;
    const judged = examination.findings().map((finding) => this.#possession.applyTo(finding));
    const proven = [...judged, ...(this.#hidden.cases?.settled ?? [])];
    if (!proven.some(denies) && (this.#possession.isAwaited || !this.#isFlightWhole)) return;
    if (this.#possession.hasFailed) this.#tellFailedProof(judged);
    if (proven.length === 0) return this.#settleUnpinned(examination.ruleMark);
    this.#rule(proven, examination.ruleMark);
  }

  #tellFailedProof(findings: readonly Finding[]): void {
    for (const { name } of pinsetsToTell(findings)) this.#context.anomaly('tls.proof.failed', `pinset ${name}`);
  }

  #onAbbreviated(): void {
    const hello = this.#hello;
    const echoed =
      hello !== undefined && hello.sessionId.length > 0 && equal(hello.sessionId, this.#serverHello!.sessionId);
    const ticket = hello?.sessionTicket ?? EMPTY;
    this.facts.sessionResumed = echoed || ticket.length > 0;
    if (this.#ruling !== undefined) return;
    if (!this.facts.sessionResumed) return this.#settleNoCertificate();
    this.#onHidden('resumed', this.#hiddenInResumption());
  }

  /** Whether what the server has shown is to be recorded, should the client believe it. */
  #isRecorded(): boolean {
    const { live } = this.#context;
    const isShown = this.#ruling!.action === 'accept' && this.#chains.length > 0 && this.isProven;
    // What a client sends early says nothing of what it thinks of the answer.
    const isEarly = this.#hello?.offersEarlyData ?? false;
    return live && isShown && !isEarly && (this.#selection?.require.some(recordsHosts) ?? false);
  }

  /** True where the client's Finished says that it believes the server; otherwise its data do. */
  get isSigned(): boolean {
    return this.#possession.isVerified;
  }

  /** Whether what the server hands out may later stand for the evidence of this flow. */
  #binds(): boolean {
    const ruling = this.#ruling;
    return (
      ruling !== undefined &&
      ruling.action === 'accept' &&
      ruling.mode === 'enforce' &&
      ruling.pinset !== null &&
      (ruling.evidence === 'resumed' || (ruling.evidence === 'observed' && BINDING_REASONS.has(ruling.reason))) &&
      !this.#possession.hasFailed
    );
  }

  #remember(credential: Uint8Array, seconds: number): void {
    const names = this.#selection!.require.filter((pinset) => pinset.mode === 'enforce').map((pinset) => pinset.name);
    const { sessions, subject } = this.#context;
    const now = this.#context.now();
    // On that date itself they do not any more.
    const lifetime = Math.min(seconds * 1e6, this.#bindsUntil * 1000 - 1 - now);
    sessions.remember(subject.server.address, credential, names, now, lifetime);
  }

  #settleNoCertificate(): void {
    this.#settleDenials(() => true, 'no-certificate');
  }

  #settleNoName(): void {
    const denier = this.#context.snapshot.deniesWithoutName(this.#context.subject);
    if (denier === undefined) return;
    this.#rule([{ pinset: denier, mode: denier.mode, reason: 'no-sni', verdict: denier.onMismatch, matched: null }]);
  }

  #settleUnpinned(mark: Ruling['connmark'] = null): void {
    this.#rule([{ pinset: null, mode: 'enforce', reason: 'unpinned', verdict: ACCEPT, matched: null }], mark);
  }

  /** Applies a situation that has two outcomes. */
  #settle(key: SituationKey, reason: Reason, fault: string | null = null): void {
    this.#rule(applySituation(this.#holders, key, reason), null, 'none', fault);
  }

  #settleIfDecided(of: (situations: Situations) => OpenDecision, reason: Reason): void {
    const { findings, reported } = applyOpenSituation(this.#holders, of, reason);
    this.#report(reported);
    if (findings !== undefined) this.#rule(findings);
  }

  #settleDenials(fails: (situations: Situations) => boolean, reason: Reason): void {
    const findings = denyWhere(this.#holders, fails, reason);
    if (findings.some(denies) || (findings.length > 0 && reason === 'no-certificate')) this.#rule(findings);
    else this.#report(findings);
  }

  /** A pinset that only reports has its say once, at the first that would have denied. */
  #report(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const isKnown = this.#reported.some(({ pinset }) => pinset === finding.pinset);
      if (finding.pinset !== null && !isKnown) this.#reported.push(finding);
    }
  }

  get #holders(): readonly Holder[] {
    const { snapshot, subject } = this.#context;
    const now = this.#context.now() / 1000;
    if (this.#selection === undefined) return holdersOf(snapshot, subject, undefined, now);
    this.#selectedHolders ??= holdersOf(snapshot, subject, this.#selection, now);
    return this.#selectedHolders;
  }

  #rule(
    findings: readonly Finding[],
    mark: Ruling['connmark'] = null,
    evidence?: Evidence,
    fault: string | null = null,
  ): void {
    if (this.#ruling !== undefined) return;
    const seen = evidence ?? (this.#chains.length === 0 ? 'none' : this.#evidence);
    const ruling = rule(withReported(findings, this.#reported), seen, fault);
    this.#ruling = { ...ruling, connmark: mergeMarks(mark, ruling.connmark) };
    this.#hidden.close();
    if (this.#isRecorded()) this.continuation.begin(this.#serverHello?.isTls13 ?? false);
    if (!this.#binds()) return this.session.giveUp();
    const { sessionId, answersSessionTicket } = this.#serverHello!;
    const nowMs = this.#context.now() / 1000;
    const { require, deny } = this.#selection!;
    this.#bindsUntil = Math.min(...[...require, ...deny].map((pinset) => nextChange(pinset, nowMs)));
    this.session.begin(sessionId, answersSessionTicket, this.facts.sessionResumed);
  }
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

/** Versions whose certificate travels in clear. */
const KNOWN_VERSIONS: ReadonlySet<number> = new Set([
  VERSION.ssl2,
  VERSION.ssl3,
  VERSION.tls10,
  VERSION.tls11,
  VERSION.tls12,
]);
const BINDING_REASONS: ReadonlySet<Reason> = new Set(['pin-match', 'backup-pin-match']);
const NOTHING_SELECTED: Selection = { require: [], deny: [], rules: [] };
const EMPTY = new Uint8Array(0);
