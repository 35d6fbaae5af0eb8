/**
 * Asks servers for their certificates in the place of clients: from memory where the same was asked lately, together
 * where it is being asked now, on the wire otherwise, as often as the limits allow. Every question has one answer, at
 * its deadline at the latest. Knows nothing of pins and of the packets that wait.
 *
 *   probe ─▶ mirror ─▶ cache ─▶ single flight ─▶ budget ─▶ a place among those at once ─▶ conversation ─▶ cache ─▶ done
 *              │         │          │               │              waits for one
 *              ▼         ▼          ▼               ▼
 *           failed    done, and     one that differs in its order of extensions only: its success is
 *                     now and then  this one's too, its failure is not
 *                     a probe behind it
 *   accompany ─▶ connections beside the client's, as many as are configured: they ask what it asks, if it is asked at all
 */
import { isFault } from '../bytes/fault.ts';
import type { ProbeAnswer, ProbeEnds, ProbeFailure, Prober, ProbeRequest } from '../judge/ports.ts';
import { PROBE_DEFAULTS } from '../pins/probe.ts';
import type { ProbePolicy } from '../pins/policy.ts';
import type { ObserverLimits } from '../tls/observed/dialogue.ts';
import { isLocal } from './address.ts';
import { ProbeBudget } from './allowance/budget.ts';
import { type KeptAnswers, type Known, ProbeCache, type ProbeFinding } from './cache.ts';
import type { Company } from './decoys/company.ts';
import { converse, type SocketMark } from './connection.ts';
import { noCounts } from './counts.ts';
import { Decoys } from './decoys/decoys.ts';
import { dial } from './dial.ts';
import { type HandshakeOutcome, ProbeHandshake } from './handshake.ts';
import { KnownHellos } from './known-hellos.ts';
import { unusableGroups } from './mirror.ts';
import { Origins, type OriginState, type ProbeWays } from './origin.ts';
import { Places, Tally } from './allowance/places.ts';
import { asker, type Asking, askingOf, type Question, turnsOf, weightOf } from './question.ts';
import { Rechecks } from './rechecks.ts';
import { NOBODY, Served, type ServedSince } from './served.ts';
import { SingleFlight, type Waiting } from './single-flight.ts';
import { Upgrade } from './upgrade.ts';

/** What a configuration says, but for the mark, which comes with the way to set it. */
export type ProbeSettings = Omit<ProbePolicy, 'mark'>;

/** What none says. */
export interface ProbeBounds {
  /** Questions that wait for a connection. Beyond: `limited`. */
  readonly waiting: number;
  /** Questions without an answer yet, those that wait for the same one too; long ones count as several. Beyond: `limited`. */
  readonly unanswered: number;
  /** Questions whose answers are remembered, and destinations and clients whose connections are counted. */
  readonly entries: number;
}

export interface MirrorProberOptions extends Partial<ProbeSettings & ProbeBounds> {
  /** What a server may send. */
  readonly limits: ObserverLimits;
  /** For every socket: by it the rules let a probe's packets by. */
  readonly mark?: SocketMark | undefined;
  /** Whose address probes leave with; undefined: this host's own. */
  readonly origins?: Origins | undefined;
  /** A probe was shown another chain than one before it, to the same question; the latest comes first. */
  readonly onInconsistent?: OnInconsistent | undefined;
  /** How conversations are carried; for tests. */
  readonly converse?: typeof converse;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** `served`: whose connections were served by what was remembered since the probe before. */
export type OnInconsistent = (
  request: ProbeRequest,
  chains: readonly (readonly Uint8Array[])[],
  served: ServedSince,
) => void;

export class MirrorProber implements Prober {
  readonly counts = noCounts();
  readonly #options: MirrorProberOptions & ProbeBounds;
  readonly #hellos = new KnownHellos();
  readonly #cache: ProbeCache;
  readonly #flights = new SingleFlight<ProbeAnswer, Question>();
  readonly #budget: ProbeBudget;
  readonly #origins: Origins;
  readonly #places = new Places<Question>((question) => this.#onDropped(question));
  readonly #rechecks: Rechecks;
  readonly #served: Served;
  readonly #decoys: Decoys<HandshakeOutcome>;
  #settings: ProbeSettings;
  #limits: ObserverLimits;
  #mark: SocketMark | undefined;
  #unanswered = 0;
  readonly #unansweredOf = new Tally();
  #isClosed = false;

  constructor(options: MirrorProberOptions) {
    this.#options = { ...BOUNDS, ...options };
    this.#settings = { ...PROBE_DEFAULTS, ...options };
    this.#limits = options.limits;
    this.#mark = options.mark;
    this.#origins = options.origins ?? new Origins({});
    this.#origins.configure(this.#settings.source);
    const { entries } = this.#options;
    this.#cache = new ProbeCache(entries);
    this.#served = new Served(entries);
    const { random, waiting } = this.#options;
    this.#rechecks = new Rechecks({ random, waiting, check: (asking) => this.#check(asking) });
    this.#budget = new ProbeBudget(entries);
    const { converse: carry = converse } = options;
    this.#decoys = new Decoys({ budget: this.#budget, origins: this.#origins, converse: carry, entries });
  }

  /**
   * Another configuration: holds for every question that comes, and for those that wait for a connection. What is under
   * way ends as it began; what is remembered and counted is kept, and judged by the new numbers.
   */
  configure(policy: ProbePolicy, limits: ObserverLimits): void {
    this.#settings = policy;
    this.#origins.configure(policy.source);
    this.#limits = limits;
    if (this.#mark !== undefined) this.#mark = { ...this.#mark, value: policy.mark };
    this.#next();
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void {
    this.counts.asked++;
    const refuse = (reason: ProbeFailure, detail = '') => {
      this.#countFailure(reason);
      done({ kind: 'failed', reason, detail, fromCache: false });
    };
    if (this.#isClosed) return refuse('stopped');
    if (!this.#settings.allowLocal && isLocal(request.server.address)) return refuse('forbidden', 'local address');
    const mirror = this.#hellos.mirrorOf(request.clientHello);
    if (isFault(mirror)) return refuse('unsupported', mirror.code);
    if (turnsOf(request, mirror) === undefined) return refuse('unsupported', request.starttls ?? '');
    const asking = askingOf(request, mirror, this.#settings);
    const known = this.#cache.find(asking.key, this.#now(), this.#settings);
    if (known !== undefined) {
      this.counts.cached++;
      this.#decoys.meet(request, this.#now());
      this.#served.add(asking.key.certificate, request.client);
      done(known.answer);
      if (known.isStale) this.#askBehind(asking);
      else this.#maybeRecheck(asking, known);
      return;
    }
    const { group } = asking;
    const room = this.#options.unanswered - this.#unanswered;
    const weight = weightOf(request);
    if (weight > room || this.#unansweredOf.of(group) > room) return refuse('limited', 'unanswered');
    this.#unanswered += weight;
    this.#unansweredOf.add(group, weight);
    const answered = (answer: ProbeAnswer) => {
      this.#unanswered -= weight;
      this.#unansweredOf.remove(group, weight);
      done(answer);
    };
    this.#join({ ...asking, deadline: this.#deadlineOf(request) }, { done: answered, connected });
  }

  accompany(ends: ProbeEnds, go: () => void): void {
    if (this.#isClosed) return go();
    const begun = this.#decoys.begin(ends, { ...this.#settings, mark: this.#mark }, this.#now(), go);
    this.counts.connections += begun;
    this.counts.asClient += begun;
    this.counts.decoys += begun;
  }

  /**
   * Others gave so many questions like this one the answer that is remembered. It may be checked for each of them: once
   * for all, because what they would find is the same.
   */
  onSpokenFor(request: ProbeRequest, times: number): void {
    this.counts.asked += times;
    this.counts.cached += times;
    const mirror = this.#hellos.mirrorOf(request.clientHello);
    if (this.#isClosed || isFault(mirror)) return;
    const asking = askingOf(request, mirror, this.#settings);
    const known = this.#cache.find(asking.key, this.#now(), this.#settings);
    this.#served.add(asking.key.certificate, request.client, times);
    if (known !== undefined) this.#maybeRecheck(asking, known, times);
  }

  get origins(): OriginState {
    return this.#origins.state;
  }

  onWays(ways: ProbeWays): void {
    this.#origins.adopt(ways);
  }

  keep(): KeptAnswers {
    return this.#cache.keep(this.#now());
  }

  restore(kept: KeptAnswers): void {
    this.#cache.restore(kept, this.#now());
  }

  /** Ends what is under way; every question is answered. */
  close(): void {
    this.#isClosed = true;
    this.#rechecks.close();
    this.#decoys.close();
    const questions = this.#places.all();
    // Nobody moves up.
    for (const question of questions) this.#places.leaveLines(question);
    for (const question of questions) {
      clearTimeout(question.late);
      question.giveUp?.();
    }
  }

  /** Waits for whoever asks the same of the server now; for one that differs a little, as long as it does not fail. */
  #join(question: Question, { done, connected }: Waiting<ProbeAnswer>): void {
    const { key, group } = question;
    const answered = (answer: ProbeAnswer) => {
      const isOurs = answer.kind === 'certificates' || first === undefined || first.key.exact === key.exact;
      if (isOurs || this.#isClosed || question.deadline <= this.#now()) return done(answer);
      this.#ask({ ...question, flight: key.exact }, { done });
    };
    const first = this.#flights.join(key.certificate, question, { done: answered, connected });
    if (first === undefined) return this.#begin(question);
    this.counts.joined++;
    // It waits in its own client's line too, not behind all that another one asks.
    if (this.#places.isWaiting(first)) this.#places.wait(first, group, this.#options.waiting);
  }

  /** The very question, with none that differs. */
  #ask(question: Question, waiting: Waiting<ProbeAnswer>): void {
    const first = this.#flights.join(question.flight, question, waiting);
    if (first === undefined) return this.#begin(question);
    if (this.#places.isWaiting(first)) this.#places.wait(first, question.group, this.#options.waiting);
  }

  #maybeRecheck(asking: Asking, { answer, confirmations }: Known, times = 1): void {
    if (answer.kind !== 'certificates') return;
    const { recheck, source } = this.#settings;
    this.#rechecks.draw(asking, recheck / 2 ** confirmations, times, source !== 'gateway');
  }

  #check(asking: Asking): void {
    if (this.#askBehind(asking)) this.counts.rechecks++;
  }

  /** Nobody waits for it: it is asked where there is more room than those who wait will need. */
  #askBehind(asking: Asking): boolean {
    const isAllowed = this.#budget.allows(asker(asking), this.#settings, this.#now(), BEHIND_SHARE);
    if (!isAllowed || this.#places.taken > this.#settings.atOnce * BEHIND_SHARE) return false;
    const question = { ...asking, deadline: this.#deadlineOf(asking.request), isBehind: true };
    if (this.#flights.join(asking.flight, question, { done: () => {} }) !== undefined) return false;
    this.#begin(question);
    return true;
  }

  /** Finds out what the flight of a question waits for. */
  #begin(question: Question): void {
    const now = this.#now();
    const limited = (detail: string) => this.#settle(question, { kind: 'failed', reason: 'limited', detail });
    if (!this.#budget.allows(asker(question), this.#settings, now)) return limited(question.destination);
    question.giveUp = () => this.#settle(question, { kind: 'failed', reason: 'stopped', detail: '' });
    if (!this.#places.take(question, question.group, this.#settings.atOnce)) {
      if (!this.#places.wait(question, question.group, this.#options.waiting)) return limited('waiting');
      question.late = setTimeout(() => this.#onLate(question), question.deadline - now);
      question.late.unref();
    }
    question.charge = this.#budget.count(asker(question), now);
    if (!this.#places.isWaiting(question)) this.#connect(question);
  }

  #onLate(question: Question): void {
    this.#places.leaveLines(question);
    this.#settle(question, { kind: 'failed', reason: 'timeout', detail: 'waiting' });
  }

  #onDropped(question: Question): void {
    clearTimeout(question.late);
    this.#settle(question, { kind: 'failed', reason: 'limited', detail: 'waiting' });
  }

  #connect(question: Question): void {
    const company = question.request.starttls === null ? this.#decoys.take(question.request) : undefined;
    if (company === undefined) this.#dial(question);
    else this.#askTogether(question, company);
  }

  /** None may fail: of those that are left, fewer would have to be guessed. */
  #askTogether(question: Question, company: Company<HandshakeOutcome>): void {
    question.giveUp = () => company.end();
    company.ask({
      conversation: () => this.#handshake(question),
      clientsTurn: () => this.#flights.onConnected(question.flight),
      done: (outcomes) => this.#onFindings(question, outcomes.map(asFinding)),
    });
  }

  #handshake({ request, mirror }: Question, withoutGroups: readonly number[] = []): ProbeHandshake {
    return new ProbeHandshake({ mirror, recordVersion: request.recordVersion, withoutGroups, limits: this.#limits });
  }

  #dial(question: Question, withoutGroups: readonly number[] = []): void {
    const { request, mirror, deadline, isBehind = false } = question;
    this.counts.connections++;
    question.giveUp = dial<HandshakeOutcome>({
      request,
      isBehind,
      origins: this.#origins,
      timeout: Math.max(1, deadline - this.#now()),
      mark: this.#mark,
      conversation: () => new Upgrade(turnsOf(request, mirror) ?? [], this.#handshake(question, withoutGroups)),
      converse: this.#options.converse ?? converse,
      begun: (asClient, isFallback) => {
        if (asClient) this.counts.asClient++;
        if (!isFallback) return;
        this.counts.connections++;
        this.counts.fallbacks++;
      },
      connected: () => this.#flights.onConnected(question.flight),
      done: (outcome) => {
        if (outcome.kind === 'unusable-group') return this.#onUnusableGroup(question, outcome.group, withoutGroups);
        this.#onFindings(question, [outcome]);
      },
    });
  }

  /** Once more, and without whatever else the server could ask for in vain: it is to choose no number of connections. */
  #onUnusableGroup(question: Question, group: number, withoutGroups: readonly number[]): void {
    if (withoutGroups.length > 0) return this.#onFindings(question, [UNUSABLE_GROUP]);
    this.#budget.count(asker(question), this.#now());
    this.#dial(question, [group, ...unusableGroups(question.mirror)]);
  }

  #next(): void {
    for (;;) {
      const question = this.#places.next(this.#settings.atOnce);
      if (question === undefined) return;
      clearTimeout(question.late);
      this.#connect(question);
    }
  }

  /** What each of the connections that asked it has found. */
  #onFindings(question: Question, findings: readonly ProbeFinding[]): void {
    this.#places.leave(question);
    const isProven = findings.every((finding) => finding.kind === 'certificates' && finding.proven);
    if (isProven && question.charge !== undefined) this.#budget.lighten(question.charge);
    for (const finding of findings) this.#remember(question, finding);
    // As it is remembered: the latest, and what others were shown besides.
    this.#settle(question, findings.at(-1)!);
    this.#next();
  }

  #remember({ request, key }: Question, finding: ProbeFinding): void {
    const isShown = finding.kind === 'certificates';
    if (isShown) this.#decoys.meet(request, this.#now());
    const served = isShown ? this.#served.take(key.certificate) : NOBODY;
    const isRemembered = isShown || OF_THE_SERVER.has(finding.reason);
    if (!isRemembered || !this.#cache.add(key, finding, this.#now(), this.#settings)) return;
    this.counts.inconsistent++;
    const known = this.#cache.find(key, this.#now(), this.#settings)?.answer;
    const shown = known?.kind === 'certificates' ? [known, ...known.alternatives] : [];
    const chains = shown.map(({ chain }) => chain);
    this.#options.onInconsistent?.(request, chains, served);
  }

  #settle({ key, flight }: Question, finding: ProbeFinding): void {
    if (finding.kind === 'failed') this.#countFailure(finding.reason);
    const known = finding.kind === 'certificates' ? this.#cache.find(key, this.#now(), this.#settings) : undefined;
    const alternatives = known?.answer.kind === 'certificates' ? known.answer.alternatives : [];
    const answer = finding.kind === 'certificates' ? { ...finding, alternatives } : finding;
    this.#flights.settle(flight, { ...answer, fromCache: false });
  }

  #deadlineOf({ patience }: ProbeRequest): number {
    return this.#now() + this.#settings.timeout + patience;
  }

  #countFailure(reason: ProbeFailure): void {
    this.counts.failed++;
    this.counts.failures[reason]++;
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }
}

function asFinding(outcome: HandshakeOutcome): ProbeFinding {
  return outcome.kind === 'unusable-group' ? UNUSABLE_GROUP : outcome;
}

/**
 * Failures that a server showed, and would show again. One that was silent or took no connection may have had no room:
 * the client that waits for the answer has a connection there itself.
 */
const OF_THE_SERVER: ReadonlySet<ProbeFailure> = new Set(['alert', 'protocol', 'unsupported', 'no-certificate']);
const BOUNDS: ProbeBounds = { waiting: 256, unanswered: 16_384, entries: 4_096 };
const UNUSABLE_GROUP: ProbeFinding = { kind: 'failed', reason: 'unsupported', detail: 'group' };
/** Of every limit, for what nobody waits for. */
const BEHIND_SHARE = 0.5;
