/**
 * The way of one flow through the states of its judge: what each event asks of the configuration, where evidence comes
 * from, and which state follows. A reload takes the same ways again, with everything that is known by then.
 *
 *   hello ─▶ server-hello ──in clear──▶ certificate ───┐
 *                 │  └──TLS 1.3──▶ secret ──decrypted──┤     ┌──▶ path ──▶ proof ──▶ ruling
 *                 │                   └───nothing───▶ probe ─┴────────────────▲
 *                 └──early data, a resumption──────────▶ │
 */
import type { Situations } from '../pins/policy.ts';
import { VERSION } from '../tls/constants.ts';
import type { RecordConsumer } from '../tls/record.ts';
import type { PresentedCertificate } from '../x509/presented.ts';
import { AwaitCertificate } from './awaited/certificate.ts';
import { AwaitHello } from './awaited/hello.ts';
import { AwaitPath } from './awaited/path.ts';
import { AwaitProbe } from './awaited/probe.ts';
import { AwaitProof } from './awaited/proof.ts';
import { AwaitSecret } from './awaited/secret.ts';
import { AwaitServerHello } from './awaited/server-hello.ts';
import { shownTo } from './awaited/shown.ts';
import type { Bench, HiddenBy } from './awaited/state.ts';
import type { JudgeContext } from './context.ts';
import type { DecryptionListener } from './decryption.ts';
import { Examined } from './awaited/examined.ts';
import type { Hearing } from './hearing.ts';
import { Hellos } from './hellos.ts';
import { type HiddenCertificates, hiddenInResumption, hiddenInTls13 } from './hidden-certificates.ts';
import { KeylogReading } from './awaited/keylog-reading.ts';
import { Possession } from './possession.ts';
import { ProbeQuestion } from './awaited/probe-question.ts';
import { denies } from './claim.ts';

type Awaited = AwaitHello | AwaitServerHello | AwaitCertificate | AwaitSecret | AwaitProbe | AwaitPath | AwaitProof;

export class Course implements Bench {
  readonly hearing: Hearing;
  readonly hellos = new Hellos();
  readonly possession = new Possession();
  readonly question: ProbeQuestion;
  readonly keylog: KeylogReading;
  readonly #context: JudgeContext;
  #state: Awaited;

  constructor(hearing: Hearing) {
    this.hearing = hearing;
    this.#context = hearing.context;
    this.#state = new AwaitHello(this.#context);
    this.question = new ProbeQuestion(this.#context, hearing.facts.milestones, () => this.#onProbing());
    this.keylog = new KeylogReading(this.#context, () => this.#decryptionListener());
  }

  get state(): Awaited {
    return this.#state;
  }

  /** The server has a connection for the question, or the answer is there. */
  #onProbing(): void {
    if (this.hearing.isRuled) return;
    const { answer } = this.question;
    if (this.#state.awaits === 'probe' && answer !== 'asked') this.#state.onAnswer(answer!);
    else if (this.#state.awaits !== 'server-hello') return;
    this.#context.settled();
  }

  /** The chains that are before the judge. */
  get examined(): Examined | undefined {
    const state = this.#state;
    return state.awaits === 'path' || state.awaits === 'proof' ? state.examined : undefined;
  }

  /** Why evidence for what is hidden is awaited now. */
  get awaitedBy(): HiddenBy | undefined {
    const state = this.#state;
    return state.awaits === 'path' ? state.examined.by : state.awaits === 'probe' ? state.by : undefined;
  }

  /** Whether what is awaited is, or was, to be had with a secret. */
  get readsSecret(): boolean {
    return this.#state.awaits === 'secret' || this.examined?.evidence === 'decrypted';
  }

  /** Whether a secret may be awaited: now, or once a ServerHello of TLS 1.3 is there. */
  get mayAwaitSecret(): boolean {
    const { awaits } = this.#state;
    if (awaits === 'secret') return true;
    return awaits === 'server-hello' && this.hellos.offersTls13 && this.keylog.mayRead(this.#hiddenCases('tls13'));
  }

  /** Records that follow a ServerHello of TLS 1.3 are read where a secret may open them. */
  encryptedFlight(): RecordConsumer | undefined {
    const { messages } = this.hellos;
    if (messages === undefined) return undefined;
    const isAwaited = this.#state.awaits === 'secret';
    const reader = this.keylog.read(messages, isAwaited);
    if (reader === undefined && isAwaited && !this.hearing.isRuled) {
      this.keylog.giveUp();
      this.awaitEvidence('tls13');
    }
    return reader;
  }

  onFlightWhole(): void {
    if (this.examined !== undefined) this.examined.isFlightWhole = true;
    this.conclude();
  }

  conclude(): void {
    if (this.#state.awaits === 'proof') this.#state.conclude();
  }

  awaitServerHello(): void {
    this.#state = new AwaitServerHello(this);
  }

  /** By the names that the client has given, in TLS and to a proxy, under the configuration in force. */
  select(): void {
    const { name, fronted } = this.hellos;
    this.hearing.facts.fronted = fronted;
    this.hearing.select(name, fronted);
  }

  /** What the hello asks of the configuration, and what its answer will ask for. */
  askHello(): void {
    const { hearing, hellos } = this;
    const hello = hellos.client!;
    if (!hello.isServerNameValid) return hearing.settle('parseError', 'parse-error', 'tls.client-hello.server-name');
    this.select();
    if (hellos.name === null && hellos.fronted === null) hearing.settleNoName();
    if (hearing.isOfNoPinset) return hearing.settleUnpinned();
    if (hello.offersEch) hearing.settleIfDecided('ech', (situations) => situations.ech, 'ech');
    if (hearing.isRuled) return;
    this.#forget();
    this.#state = new AwaitServerHello(this);
    if (!hellos.offersTls13) return;
    const { habits, subject } = this.#context;
    if (!habits.showsClear(subject.server, hellos.name)) {
      const cases = this.#hiddenCases('tls13');
      if (cases.wantsProbe && !this.keylog.mayRead(cases)) this.question.ask();
    }
    if (hello.offersEarlyData) this.#askEarlyData();
  }

  /** Early data would reach the server ahead of any decision; what cannot be decided ahead of it is denied now. */
  #askEarlyData(): void {
    const of = ({ earlyData, tls13 }: Situations) =>
      earlyData === 'hold' ? (tls13 === 'deny' || tls13 === 'keylog' ? 'deny' : 'hold') : earlyData;
    this.hearing.settleIfDecided('earlyData', of, 'no-certificate');
    const { holders, isRuled } = this.hearing;
    const isHeld = this.#context.live && holders.some(({ situations }) => situations.earlyData === 'hold');
    const cases = this.#hiddenCases('earlyData');
    if (!isRuled && isHeld && cases.isOpen) this.#awaitProbe('earlyData', cases, this.#context.now());
  }

  /** What the server has chosen asks of the configuration. */
  askServerHello(): void {
    const { hearing } = this;
    const hello = this.hellos.server!;
    hearing.settleDenials((situations) => hello.version < situations.checks.minVersion, 'min-version');
    if (!hello.isTls13 && !KNOWN_VERSIONS.has(hello.version)) {
      hearing.settle('parseError', 'parse-error', 'tls.server-hello.version');
    }
    if (hearing.isRuled) return;
    if (hello.isTls13) this.#onHidden();
    else {
      this.#forget();
      this.#state = new AwaitCertificate(this);
    }
    const { keyExchange } = this.possession;
    if (keyExchange === 'anonymous') hearing.settle('anonymous', 'anonymous');
    else if (keyExchange === 'psk') hearing.settle('psk', 'anonymous');
  }

  /** TLS 1.3: what was asked for the sake of early data is the answer to this as well. */
  #onHidden(): void {
    const { examined } = this;
    if (examined?.by !== 'earlyData') return this.awaitEvidence('tls13');
    examined.by = 'tls13';
    this.onFlightWhole();
  }

  /** What is shown from now on is shown for the first time. */
  #forget(): void {
    this.possession.forget();
    this.hearing.evidence = 'none';
    this.hearing.matchedRules = [];
  }

  #hiddenCases(by: HiddenBy): HiddenCertificates {
    const { holders } = this.hearing;
    if (by === 'resumed') return this.#hiddenInResumption();
    const { nothing } = this.keylog;
    const cases = hiddenInTls13(holders);
    if (nothing?.isRefuted) return cases.refuted(nothing.reason);
    if (nothing !== undefined) return cases.withoutKeylog(nothing.reason);
    return by === 'earlyData' ? cases.withoutKeylog('keylog-missing') : cases;
  }

  #hiddenInResumption(): HiddenCertificates {
    const { sessions, subject } = this.#context;
    const time = { now: this.#context.now(), dateMs: this.#context.dateMs() };
    const { credential } = this.hellos;
    return hiddenInResumption(this.hearing.holders, (pinset) =>
      sessions.bound(subject, credential, pinset === null ? [] : [pinset.name], time),
    );
  }

  /** No certificate goes by: the evidence comes from elsewhere, or a situation decides. */
  awaitEvidence(by: HiddenBy, since = this.#context.now()): void {
    const { keylog } = this;
    this.#forget();
    const cases = this.#hiddenCases(by);
    const { settled } = cases;
    if (!cases.isOpen || settled.some(denies)) {
      const isBound = settled.some(({ reason }) => reason === 'resumed-bound');
      const fault = by === 'tls13' ? (keylog.nothing?.fault ?? null) : null;
      return this.hearing.rule(settled, null, isBound ? 'resumed' : 'none', fault);
    }
    if (by === 'tls13' && keylog.mayRead(cases)) {
      this.#state = new AwaitSecret(this, cases, since);
    } else if (cases.wantsKeylog) {
      keylog.giveUp();
      this.awaitEvidence(by, since);
    } else {
      this.#awaitProbe(by, cases, since);
    }
  }

  #awaitProbe(by: HiddenBy, cases: HiddenCertificates, since: number): void {
    const state = new AwaitProbe(this, by, cases, since);
    this.#state = state;
    state.begin();
  }

  #decryptionListener(): DecryptionListener {
    return {
      onSealed: () => {
        if (this.#state.awaits === 'secret') this.#state.onSealed();
      },
      onHiddenCertificate: (chain, isRawPublicKey) => {
        const chains = shownTo(this.hearing, [{ chain, isRawPublicKey }], 'decrypted');
        if (this.hearing.isRuled) return;
        const cases = this.#hiddenCases('tls13');
        // Behind a Certificate that is decrypted comes its proof.
        this.examine(new Examined({ chains, evidence: 'decrypted', by: 'tls13', cases, isFlightWhole: false }));
      },
      onHiddenProof: (proven) => {
        this.possession.settle(proven);
        if (this.examined?.evidence === 'decrypted') this.onFlightWhole();
      },
      onHiddenFailure: (code) => {
        if (this.hearing.isRuled) return;
        const isAwaited = this.readsSecret;
        this.keylog.onFailure(code);
        // A secret that comes late counts as well: what it refutes no probe can make good.
        if (isAwaited || this.keylog.nothing!.isRefuted) this.awaitEvidence('tls13');
      },
    };
  }

  examineClear(chain: readonly PresentedCertificate[]): void {
    if (this.hearing.isRuled) return;
    const [by, cases] = [undefined, undefined];
    this.examine(new Examined({ chains: [chain], evidence: 'observed', by, cases, isFlightWhole: false }));
  }

  examine(examined: Examined): void {
    const { hearing, possession } = this;
    const examination = examined.examination(hearing, this.hellos.name ?? this.hellos.fronted);
    hearing.evidence = examined.evidence;
    hearing.matchedRules = examination.matchedRules;
    if (examination.final !== undefined) return hearing.rule([examination.final]);
    if (examined.evidence !== 'probed') {
      possession.awaitFor(hearing.selection?.require ?? []);
      if (examined.isFlightWhole) possession.giveUp();
    }
    const asked = new AwaitPath(this, examined, examination);
    this.withdraw();
    examination.ask(this.#context.examiner, this.#context.subject, () => {
      // Another configuration has asked again meanwhile.
      if (this.#state !== asked || examination.waiting) return;
      this.#state = new AwaitProof(this, examined, examination);
      this.conclude();
      this.#context.settled();
    });
    this.#state = examination.waiting ? asked : new AwaitProof(this, examined, examination);
    this.conclude();
  }

  /** What is asked about chains does not matter any more. */
  withdraw(): void {
    if (this.#state.awaits === 'path') this.#state.examination.withdraw();
  }

  examineAgain(examined: Examined): void {
    const { by, evidence } = examined;
    if (evidence === 'observed') return this.examine(examined);
    if (evidence === 'probed') return by === 'earlyData' ? this.askHello() : this.awaitEvidence(by!);
    const cases = this.#hiddenCases('tls13');
    if (cases.settled.some(denies)) this.hearing.rule(cases.settled, null, 'none');
    else this.examine(new Examined({ ...examined, cases }));
  }
}

/** Versions whose certificate travels in clear. */
const KNOWN_VERSIONS: ReadonlySet<number> = new Set([
  VERSION.ssl2,
  VERSION.ssl3,
  VERSION.tls10,
  VERSION.tls11,
  VERSION.tls12,
]);
