/**
 * Decides one flow from what its handshake shows: selects pinsets by the ClientHello, judges the Certificate, waits for
 * the proof, and applies a situation where no certificate can decide. Makes one ruling, once; after it only facts are
 * gathered. Knows no packets: who may have which octet is for the connection.
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import type { LimitName } from '../pins/limits.ts';
import type { Checks, CompiledPinset, Situations } from '../pins/policy.ts';
import type { FlowSubject, PinsetSnapshot, Selection } from '../pins/snapshot.ts';
import { authenticationOf, type KeyExchange } from '../tls/cipher-suites.ts';
import { type ClientHello, offersTls13 } from '../tls/client-hello.ts';
import { HANDSHAKE, VERSION } from '../tls/constants.ts';
import type { HandshakeListener, Side } from '../tls/observer.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { ServerKeyExchange } from '../tls/server-key-exchange.ts';
import { type PresentedCertificate, presentCertificate, presentRawPublicKey } from '../x509/presented.ts';
import { ChainJudgement, mergeMarks } from './chain-judgement.ts';
import type { Evidence, HandshakeEvent, Reason } from './events.ts';
import { FlowFacts } from './facts.ts';
import { limitOf } from './limits.ts';
import type { ChainExaminer, ChainFacts, ProofVerifier } from './ports.ts';
import { ACCEPT, denies, type Finding, rule, type Ruling, withReported } from './ruling.ts';
import { SessionBinding } from './session-binding.ts';
import type { SessionMemory } from './sessions.ts';
import {
  applyOpenSituation,
  applySituation,
  denyWhere,
  type Holder,
  holdersOf,
  type OpenDecision,
  type SituationKey,
} from './situation.ts';

export interface JudgeContext {
  readonly snapshot: PinsetSnapshot;
  readonly subject: FlowSubject;
  readonly sessions: SessionMemory;
  readonly examiner: ChainExaminer;
  /** Microseconds since the epoch. */
  now(): number;
  readonly proves: ProofVerifier;
  /** Called when an answer from outside arrives: a ruling may be there, or the wait may be over. */
  settled(): void;
  anomaly(code: string, detail: string): void;
  /** Undefined unless somebody watches. */
  readonly watch: ((message: WatchedMessage) => void) | undefined;
  count(limit: LimitName): void;
}

export class Judge implements HandshakeListener {
  readonly facts = new FlowFacts();
  readonly session = new SessionBinding();
  readonly #context: JudgeContext;
  #selection: Selection | undefined;
  #ruling: Ruling | undefined;
  #hello: ClientHello | undefined;
  #serverHello: ServerHello | undefined;
  #keyExchange: KeyExchange = 'unknown';
  /** As presented, the leaf first. */
  #chain: readonly PresentedCertificate[] = [];
  #judgement: ChainJudgement | undefined;
  #answers: (ChainFacts | undefined)[] = [];
  readonly #reported: Finding[] = [];
  #watched: Omit<WatchedMessage, 'sni' | 'leaf'> | undefined;
  #isFlightWhole = false;
  #proof: 'awaited' | 'verified' | 'failed' | undefined;

  constructor(context: JudgeContext) {
    this.#context = context;
  }

  get ruling(): Ruling | undefined {
    return this.#ruling;
  }

  /** True while an answer from outside is awaited that may still deny: the octets that completed the question wait. */
  get waiting(): boolean {
    return this.#ruling === undefined && this.#answers.some((answer) => answer === undefined);
  }

  /** Whether a denial that the client should be able to read may still come. */
  get mayDeny(): boolean {
    if (this.#ruling !== undefined || this.#selection === undefined) return false;
    const { require, deny, rules } = this.#selection;
    return (
      require.some((pinset) => pinset.mode === 'enforce') ||
      deny.some((pinset) => pinset.mode !== 'report-only') ||
      rules.some((each) => each.verdict.action !== 'accept')
    );
  }

  /** After a HelloRetryRequest the server waits for the client, so nothing of its may wait here. */
  awaitsClient = false;

  onMessage(from: Side, messageType: number, length: number): void {
    this.#watched = { from, messageType, length };
    // These two are shown with what they contain.
    if (messageType !== HANDSHAKE.clientHello && messageType !== HANDSHAKE.certificate) this.#show();
  }

  onClientHello(hello: ClientHello): void {
    this.facts.onClientHello(hello);
    this.awaitsClient = false;
    if (this.#hello !== undefined) return;
    this.#hello = hello;
    this.#show();
    if (!hello.isServerNameValid) return this.#settle('parseError', 'parse-error', 'tls.client-hello.server-name');
    const { snapshot, subject } = this.#context;
    const serverName = effectiveName(hello.serverName);
    this.#selection = snapshot.select(subject, serverName);
    if (serverName === null) this.#settleNoName();
    const { require, deny, rules } = this.#selection;
    if (require.length + deny.length + rules.length === 0) return this.#settleUnpinned();
    if (hello.offersEch) this.#settleIfDecided((situations) => situations.ech, 'ech');
    if (hello.offersEarlyData && offersTls13(hello)) {
      // Early data would reach the server ahead of any decision; where 1.3 is denied in the end, it is denied now.
      const of = ({ earlyData, tls13 }: Situations) =>
        earlyData === 'hold' ? (tls13 === 'deny' ? 'deny' : 'hold') : earlyData;
      this.#settleIfDecided(of, 'no-certificate');
    }
  }

  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    this.facts.onServerHello(hello);
    this.awaitsClient = hello.isHelloRetryRequest;
    if (hello.isHelloRetryRequest) return;
    this.#serverHello = hello;
    this.#keyExchange = keyExchange;
    if (this.#ruling !== undefined) return;
    this.#settleDenials((situations) => hello.version < situations.checks.minVersion, 'min-version');
    if (!hello.isTls13 && !KNOWN_VERSIONS.has(hello.version)) {
      this.#settle('parseError', 'parse-error', 'tls.server-hello.version');
    }
    if (hello.isTls13) {
      this.#settleIfDecided(({ tls13 }) => (tls13 === 'accept' ? 'accept' : 'deny'), 'no-certificate');
    } else if (keyExchange === 'anonymous') this.#settle('anonymous', 'anonymous');
    else if (keyExchange === 'psk') this.#settle('psk', 'anonymous');
  }

  onCertificate(certificates: readonly Uint8Array[]): void {
    this.facts.onCertificate(certificates);
    this.#show(copyOf(certificates[0]!));
    if (this.#ruling === undefined) this.#judge(certificates.map(presentCertificate));
  }

  onRawPublicKey(spki: Uint8Array): void {
    if (this.#ruling !== undefined) return;
    this.#settleIfDecided(
      (situations) => (situations.rawPublicKey === 'pin' ? 'hold' : situations.rawPublicKey),
      'raw-public-key',
    );
    if (this.#ruling === undefined) this.#judge([presentRawPublicKey(spki)]);
  }

  onServerKeyExchange(exchange: ServerKeyExchange): void {
    if (this.#proof !== 'awaited') return;
    const spki = this.#chain[0]?.spki;
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
    this.#proof = proven ? 'verified' : 'failed';
    this.#conclude();
  }

  onServerHelloDone(sawCertificate: boolean): void {
    if (!sawCertificate) return this.#settleNoCertificate();
    this.#isFlightWhole = true;
    // A key exchange that nobody here knows: it may be proven to the client, not to us.
    if (this.#proof === 'awaited') this.#proof = 'failed';
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

  /** For captures: what was taken for no TLS at all turns to TLS later on. */
  restart(): void {
    if (this.#ruling?.reason === 'not-tls') this.#ruling = undefined;
  }

  /** The configuration has changed: what was selected by the name is selected again, and judged again by that. */
  reselect(): void {
    if (this.#ruling !== undefined || this.#selection === undefined) return;
    const { snapshot, subject } = this.#context;
    this.#selection = snapshot.select(subject, effectiveName(this.#hello?.serverName ?? null));
    if (this.#chain.length > 0) this.#judge(this.#chain);
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

  #judge(chain: readonly PresentedCertificate[]): void {
    const { snapshot, examiner } = this.#context;
    const selection = this.#selection ?? NOTHING_SELECTED;
    const serverName = effectiveName(this.#hello?.serverName ?? null);
    const judgement = new ChainJudgement(snapshot, selection, chain, serverName, this.#context.now() / 1000);
    this.#chain = chain;
    this.#judgement = judgement;
    if (judgement.final !== undefined) return this.#rule([judgement.final]);
    if (this.#wantsProof()) this.#proof ??= 'awaited';
    const answers = judgement.failsAnyway ? [] : judgement.questions.map((): ChainFacts | undefined => undefined);
    this.#answers = answers;
    if (answers.length === 0) return this.#conclude();
    let inTime = true;
    for (const [index, question] of judgement.questions.entries()) {
      examiner.examine(question, (facts) => {
        answers[index] = facts;
        // Another configuration has asked again meanwhile.
        if (this.#answers !== answers || this.waiting) return;
        this.#conclude();
        if (!inTime) this.#context.settled();
      });
    }
    inTime = false;
  }

  /**
   * Every answer is there: a mismatch is decided now; a match that wants a proof waits for ServerKeyExchange, and every
   * match for the end of the flight, because a careless client might take a second Certificate behind the first.
   */
  #conclude(): void {
    const judgement = this.#judgement;
    if (this.#ruling !== undefined || judgement === undefined || this.waiting) return;
    const findings = judgement.findings(this.#answers as ChainFacts[]);
    const failed = findings.some(denies);
    if (!failed && (this.#proof === 'awaited' || !this.#isFlightWhole)) return;
    const proven = findings.map((finding) => this.#withProof(finding));
    if (proven.length === 0) return this.#settleUnpinned(judgement.ruleMark);
    this.#rule(proven, judgement.ruleMark);
  }

  #withProof(finding: Finding): Finding {
    const { pinset } = finding;
    if (pinset === null || finding.verdict !== pinset.onMatch || this.#proof !== 'failed') return finding;
    if (pinset.situations.checks.proofOfPossession === 'report') {
      this.#context.anomaly('tls.proof.failed', `pinset ${pinset.name}`);
    }
    if (pinset.situations.checks.proofOfPossession !== 'require') return finding;
    return { ...finding, reason: 'no-proof', verdict: pinset.onMismatch };
  }

  /** With a key exchange that does not sign, the client can only go on with the key's holder: nothing to prove. */
  #wantsProof(): boolean {
    const checks = (this.#selection?.require ?? []).map((pinset): Checks => pinset.situations.checks);
    return this.#keyExchange !== 'static' && checks.some((check) => check.proofOfPossession !== 'off');
  }

  #onAbbreviated(): void {
    const hello = this.#hello;
    const echoed =
      hello !== undefined && hello.sessionId.length > 0 && equal(hello.sessionId, this.#serverHello!.sessionId);
    const ticket = hello?.sessionTicket ?? EMPTY;
    this.facts.sessionResumed = echoed || ticket.length > 0;
    if (this.#ruling !== undefined) return;
    if (!this.facts.sessionResumed) return this.#settleNoCertificate();
    const { sessions, subject, now } = this.#context;
    // What a client offers besides a ticket is an id of its own making (RFC 5077 §3.4).
    const credential = ticket.length > 0 ? ticket : hello!.sessionId;
    const isBound = (pinset: CompiledPinset | null): boolean =>
      sessions.isBound(subject.server.address, credential, pinset === null ? [] : [pinset.name], now());
    const findings = this.#holders.map(({ pinset, mode, situations, onMismatch }): Finding => {
      const bound = isBound(pinset);
      const denied = situations.resumed === 'deny' || (situations.resumed === 'bound' && !bound);
      const reason = bound ? 'resumed-bound' : 'resumed-unbound';
      return { pinset, mode, reason, verdict: denied ? onMismatch : (pinset?.onMatch ?? ACCEPT), matched: null };
    });
    const bound = findings.some(({ reason }) => reason === 'resumed-bound');
    this.#rule(findings, null, bound ? 'resumed' : 'none');
  }

  /** Whether what the server hands out may later stand for the evidence of this flow. */
  #binds(): boolean {
    const ruling = this.#ruling;
    return (
      ruling !== undefined &&
      ruling.action === 'accept' &&
      ruling.mode === 'enforce' &&
      ruling.pinset !== null &&
      (ruling.evidence === 'resumed' || BINDING_REASONS.has(ruling.reason)) &&
      this.#proof !== 'failed'
    );
  }

  #remember(credential: Uint8Array, seconds: number): void {
    const names = this.#selection!.require.filter((pinset) => pinset.mode === 'enforce').map((pinset) => pinset.name);
    const { sessions, subject } = this.#context;
    sessions.remember(subject.server.address, credential, names, this.#context.now(), seconds * 1e6);
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

  get #holders(): Holder[] {
    return holdersOf(this.#context.snapshot, this.#context.subject, this.#selection);
  }

  #rule(
    findings: readonly Finding[],
    mark: Ruling['connmark'] = null,
    evidence?: Evidence,
    fault: string | null = null,
  ): void {
    if (this.#ruling !== undefined) return;
    const seen = evidence ?? (this.#chain.length === 0 ? 'none' : 'observed');
    const ruling = rule(withReported(findings, this.#reported), seen, fault);
    this.#ruling = { ...ruling, connmark: mergeMarks(mark, ruling.connmark) };
    if (!this.#binds()) return this.session.giveUp();
    const { sessionId, answersSessionTicket } = this.#serverHello!;
    this.session.begin(sessionId, answersSessionTicket, this.facts.sessionResumed);
  }
}

export type WatchedMessage = Pick<HandshakeEvent, 'from' | 'messageType' | 'length' | 'sni' | 'leaf'>;

/** RFC 6066 §3: an address literal is no name. */
function effectiveName(serverName: string | null): string | null {
  return serverName === null || /^[\d.]+$/.test(serverName) ? null : serverName;
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
