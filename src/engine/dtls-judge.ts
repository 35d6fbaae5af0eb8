/**
 * Decides a DTLS association from what its handshake shows, as judge.ts decides a connection: pinsets by the ClientHello,
 * the Certificate against their pins, the proof in ServerKeyExchange, situations where no certificate can decide. What
 * only streams have is not here: sessions that are bound, upgrades, probes, key logs. Knows no packets.
 */
import { copyOf } from '../bytes/copy.ts';
import type { Fault } from '../bytes/fault.ts';
import type { LimitName } from '../pins/limits.ts';
import type { Situations } from '../pins/policy.ts';
import type { FlowSubject, PinsetSnapshot, Selection } from '../pins/snapshot.ts';
import { authenticationOf, type KeyExchange } from '../tls/cipher-suites.ts';
import type { ClientHello } from '../tls/client-hello.ts';
import type { HandshakeListener, Side } from '../tls/observer.ts';
import type { ServerHello } from '../tls/server-hello.ts';
import type { ServerKeyExchange } from '../tls/server-key-exchange.ts';
import { type PresentedCertificate, presentCertificate, presentRawPublicKey } from '../x509/presented.ts';
import { ChainJudgement, mergeMarks } from './chain-judgement.ts';
import type { Reason } from './events.ts';
import { FlowFacts } from './facts.ts';
import { limitOf } from './limits.ts';
import type { ChainExaminer, ChainFacts, ProofVerifier } from './ports.ts';
import { effectiveName } from './quic-name.ts';
import { ACCEPT, denies, type Finding, rule, type Ruling, withReported } from './ruling.ts';
import {
  applyOpenSituation,
  applySituation,
  denyWhere,
  holdersOf,
  type OpenDecision,
  type SituationKey,
} from './situation.ts';

export interface DtlsContext {
  readonly snapshot: PinsetSnapshot;
  readonly subject: FlowSubject;
  readonly examiner: ChainExaminer;
  readonly proves: ProofVerifier;
  /** Microseconds since the epoch. */
  now(): number;
  /** Called when an answer from outside arrives after it was asked for. */
  settled(): void;
  count(limit: LimitName): void;
}

export class DtlsJudge implements HandshakeListener {
  readonly facts = new DtlsFacts();
  readonly #context: DtlsContext;
  readonly #reported: Finding[] = [];
  #ruling: Ruling | undefined;
  #selection: Selection | undefined;
  #hello: ClientHello | undefined;
  #serverHello: ServerHello | undefined;
  #keyExchange: KeyExchange = 'unknown';
  #chain: readonly PresentedCertificate[] = [];
  #judgement: ChainJudgement | undefined;
  #answers: (ChainFacts | undefined)[] = [];
  #proof: 'awaited' | 'verified' | 'failed' | undefined;
  #isFlightWhole = false;

  constructor(context: DtlsContext) {
    this.#context = context;
  }

  get ruling(): Ruling | undefined {
    return this.#ruling;
  }

  get sawClientHello(): boolean {
    return this.#hello !== undefined;
  }

  /** True while an answer from outside is awaited that may still deny. */
  get waiting(): boolean {
    return this.#ruling === undefined && this.#answers.some((answer) => answer === undefined);
  }

  onClientHello(hello: ClientHello): void {
    this.facts.onClientHello(hello);
    if (this.#hello !== undefined) return;
    this.#hello = hello;
    if (!hello.isServerNameValid) return this.settleBy('parseError', 'parse-error', 'tls.client-hello.server-name');
    const { snapshot, subject } = this.#context;
    const name = effectiveName(hello.serverName);
    this.#selection = snapshot.select(subject, name);
    const denier = name === null ? snapshot.deniesWithoutName(subject) : undefined;
    if (denier !== undefined) {
      this.#rule([{ pinset: denier, mode: denier.mode, reason: 'no-sni', verdict: denier.onMismatch, matched: null }]);
    }
    const { require, deny, rules } = this.#selection;
    if (require.length + deny.length + rules.length === 0) return this.#settleUnpinned();
    if (hello.offersEch) this.#settleIfDecided((situations) => situations.ech, 'ech');
  }

  onServerHello(hello: ServerHello, keyExchange: KeyExchange): void {
    this.facts.onServerHello(hello);
    if (hello.isHelloRetryRequest) return;
    this.#serverHello = hello;
    this.#keyExchange = keyExchange;
    const version = hello.isTls13 ? TLS13 : hello.version;
    this.#settleDenials((situations) => version < situations.checks.minVersion, 'min-version');
    // Its certificate is encrypted, and nobody asks over datagrams.
    if (hello.isTls13) {
      this.#settleIfDecided(({ tls13 }) => (tls13 === 'accept' ? 'accept' : 'deny'), 'no-certificate');
    } else if (keyExchange === 'anonymous') this.settleBy('anonymous', 'anonymous');
    else if (keyExchange === 'psk') this.settleBy('psk', 'anonymous');
  }

  onCertificate(certificates: readonly Uint8Array[]): void {
    this.facts.onCertificate(certificates);
    if (this.#ruling === undefined) this.#judge(certificates.map(presentCertificate));
  }

  onRawPublicKey(spki: Uint8Array): void {
    this.#settleIfDecided(({ rawPublicKey }) => (rawPublicKey === 'pin' ? 'hold' : rawPublicKey), 'raw-public-key');
    if (this.#ruling === undefined) this.#judge([presentRawPublicKey(spki)]);
  }

  onServerKeyExchange(exchange: ServerKeyExchange): void {
    if (this.#proof !== 'awaited') return;
    const spki = this.#chain[0]?.spki ?? null;
    const { random, version, cipherSuite } = this.#serverHello!;
    const isProven =
      spki !== null &&
      this.#context.proves({
        spki,
        version,
        scheme: exchange.scheme,
        authentication: authenticationOf(cipherSuite),
        signed: Buffer.concat([this.#hello?.random ?? NOTHING, random, exchange.params]),
        signature: exchange.signature,
      });
    this.#proof = isProven ? 'verified' : 'failed';
    this.#conclude();
  }

  onServerHelloDone(sawCertificate: boolean): void {
    if (!sawCertificate) return this.#settleNoCertificate();
    this.#isFlightWhole = true;
    if (this.#proof === 'awaited') this.#proof = 'failed';
    this.#conclude();
  }

  onNewSessionTicket(): void {}

  onServerChangeCipherSpec(isAbbreviated: boolean): void {
    if (!isAbbreviated) return;
    const hello = this.#hello;
    const isEchoed =
      hello !== undefined &&
      hello.sessionId.length > 0 &&
      Buffer.compare(hello.sessionId, this.#serverHello?.sessionId ?? NOTHING) === 0;
    this.facts.sessionResumed = isEchoed || (hello?.sessionTicket ?? NOTHING).length > 0;
    if (!this.facts.sessionResumed) return this.#settleNoCertificate();
    // Sessions are not bound over datagrams, so none is known to be a pinned one's.
    const findings = this.#holders.map(({ pinset, mode, situations, onMismatch }): Finding => {
      const verdict = situations.resumed === 'accept' ? ACCEPT : onMismatch;
      return { pinset, mode, reason: 'resumed-unbound', verdict, matched: null };
    });
    this.#rule(findings);
  }

  onServerFinished(): void {}

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
    this.settleBy('parseError', limit === undefined ? 'parse-error' : 'limit', `${from}: ${fault.code}`);
  }

  settleBy(key: SituationKey, reason: Reason, fault: string | null = null): void {
    this.#rule(applySituation(this.#holders, key, reason), null, fault);
  }

  /** The configuration has changed: what is not decided is selected again, and judged again by that. */
  reselect(): void {
    if (this.#ruling !== undefined || this.#selection === undefined) return;
    const { snapshot, subject } = this.#context;
    this.#selection = snapshot.select(subject, effectiveName(this.#hello?.serverName ?? null));
    if (this.#chain.length > 0) this.#judge(this.#chain);
  }

  /** What was accepted turns out not to be what the client may have got. */
  revoke(): void {
    if (this.#ruling?.action !== 'accept' || this.facts.fault === null) return;
    this.#ruling = undefined;
    this.settleBy('parseError', 'overlap-conflict', this.facts.fault);
  }

  #judge(chain: readonly PresentedCertificate[]): void {
    const { snapshot, examiner, now } = this.#context;
    const serverName = effectiveName(this.#hello?.serverName ?? null);
    const selection = this.#selection ?? snapshot.select(this.#context.subject, null);
    const judgement = new ChainJudgement(snapshot, selection, chain, serverName, now() / 1000);
    this.#chain = chain;
    this.#judgement = judgement;
    if (judgement.final !== undefined) return this.#rule([judgement.final]);
    const wantsProof = selection.require.some(({ situations }) => situations.checks.proofOfPossession !== 'off');
    if (wantsProof && this.#keyExchange !== 'static') this.#proof = 'awaited';
    const answers = judgement.failsAnyway ? [] : judgement.questions.map((): ChainFacts | undefined => undefined);
    this.#answers = answers;
    let isInTime = true;
    for (const [index, question] of judgement.questions.slice(0, answers.length).entries()) {
      examiner.examine(question, (facts) => {
        answers[index] = facts;
        // Another configuration has asked again meanwhile.
        if (this.#answers !== answers || this.waiting) return;
        this.#conclude();
        if (!isInTime) this.#context.settled();
      });
    }
    isInTime = false;
    if (answers.length === 0) this.#conclude();
  }

  /** A mismatch is decided now; a match waits for its proof and for the end of the flight. */
  #conclude(): void {
    const judgement = this.#judgement;
    if (this.#ruling !== undefined || judgement === undefined || this.waiting) return;
    const findings = judgement.findings(this.#answers as ChainFacts[]);
    if (!findings.some(denies) && (this.#proof === 'awaited' || !this.#isFlightWhole)) return;
    if (findings.length === 0) return this.#settleUnpinned(judgement.ruleMark);
    this.#rule(
      findings.map((finding) => this.#withProof(finding)),
      judgement.ruleMark,
    );
  }

  #withProof(finding: Finding): Finding {
    const { pinset } = finding;
    if (pinset === null || finding.verdict !== pinset.onMatch || this.#proof !== 'failed') return finding;
    if (pinset.situations.checks.proofOfPossession !== 'require') return finding;
    return { ...finding, reason: 'no-proof', verdict: pinset.onMismatch };
  }

  #settleNoCertificate(): void {
    this.#settleDenials(() => true, 'no-certificate');
  }

  #settleUnpinned(mark: Ruling['connmark'] = null): void {
    this.#rule([{ pinset: null, mode: 'enforce', reason: 'unpinned', verdict: ACCEPT, matched: null }], mark);
  }

  #settleIfDecided(of: (situations: Situations) => OpenDecision, reason: Reason): void {
    const { findings, reported } = applyOpenSituation(this.#holders, of, reason);
    this.#reported.push(...reported);
    if (findings !== undefined) this.#rule(findings);
  }

  #settleDenials(fails: (situations: Situations) => boolean, reason: Reason): void {
    const findings = denyWhere(this.#holders, fails, reason);
    if (findings.some(denies) || (findings.length > 0 && reason === 'no-certificate')) this.#rule(findings);
    else this.#reported.push(...findings);
  }

  get #holders() {
    return holdersOf(this.#context.snapshot, this.#context.subject, this.#selection);
  }

  #rule(findings: readonly Finding[], mark: Ruling['connmark'] = null, fault: string | null = null): void {
    if (this.#ruling !== undefined) return;
    const evidence = this.#chain.length === 0 ? 'none' : 'observed';
    const ruling = rule(withReported(findings, this.#reported), evidence, fault);
    this.#ruling = { ...ruling, connmark: mergeMarks(mark, ruling.connmark) };
  }
}

/** What a DTLS handshake has shown, with its versions as those of the TLS that it is made of. */
export class DtlsFacts extends FlowFacts {
  /** It has the version that OpenSSL spoke before there was a standard. */
  isPrestandard = false;
}

const TLS13 = 0x0304;
const NOTHING = new Uint8Array(0);
