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
 */
import { randomBytes } from 'node:crypto';

import { isFault } from '../bytes/fault.ts';
import type { ProbeAnswer, ProbeFailure, Prober, ProbeRequest } from '../judge/ports.ts';
import { PROBE_DEFAULTS } from '../pins/probe.ts';
import type { ProbePolicy } from '../pins/policy.ts';
import type { ObserverLimits } from '../tls/observed/dialogue.ts';
import { addressText, isLocal } from './address.ts';
import { type Charge, ProbeBudget } from './budget.ts';
import { type KeptAnswers, ProbeCache, type ProbeFinding, type QuestionKey } from './cache.ts';
import { clientGroup, sharersOf } from './client-group.ts';
import { converse, type SocketMark } from './connection.ts';
import { noCounts } from './counts.ts';
import { dial } from './dial.ts';
import { type HandshakeOutcome, ProbeHandshake } from './handshake.ts';
import { KnownHellos } from './known-hellos.ts';
import { type Mirror, unusableGroups } from './mirror.ts';
import { type Family, Origins, type OriginState } from './origin.ts';
import { Places, Tally } from './places.ts';
import { SingleFlight, type Waiting } from './single-flight.ts';
import { dialogueOf, type Turn, Upgrade } from './upgrade.ts';

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
  /** A probe was shown another chain than one before it, to the same question. */
  readonly onInconsistent?: ((request: ProbeRequest) => void) | undefined;
  /** How conversations are carried; for tests. */
  readonly converse?: typeof converse;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

export class MirrorProber implements Prober {
  readonly counts = noCounts();
  readonly #options: MirrorProberOptions & ProbeBounds;
  readonly #hellos = new KnownHellos();
  readonly #cache: ProbeCache;
  readonly #flights = new SingleFlight<ProbeAnswer, Question>();
  readonly #budget: ProbeBudget;
  readonly #origins: Origins;
  readonly #places = new Places<Question>((question) => this.#onDropped(question));
  readonly #rechecks = new Set<NodeJS.Timeout>();
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
    this.#budget = new ProbeBudget(entries);
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
      done(known.answer);
      if (known.isStale) this.#askBehind(asking);
      else if (known.answer.kind === 'certificates') this.#maybeRecheck(asking, known.confirmations);
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
    if (known?.answer.kind === 'certificates') this.#maybeRecheck(asking, known.confirmations, times);
  }

  get origins(): OriginState {
    return this.#origins.state;
  }

  onWays(returning: ReadonlySet<Family>): void {
    this.#origins.adopt(returning);
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
    for (const timer of this.#rechecks) clearTimeout(timer);
    this.#rechecks.clear();
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

  /** A man in the middle who lets the first connection through is not to know which of the others is watched. */
  #maybeRecheck(asking: Asking, confirmations: number, times = 1): void {
    const isSpared = (1 - this.#settings.recheck / 2 ** confirmations) ** times;
    if (this.#random() >= 1 - isSpared) return;
    if (this.#rechecks.size >= this.#options.waiting) return;
    const again = () => {
      this.#rechecks.delete(timer);
      if (this.#askBehind(asking)) this.counts.rechecks++;
    };
    const timer = setTimeout(again, this.#random() * MAX_RECHECK_DELAY_MS);
    timer.unref();
    this.#rechecks.add(timer);
  }

  /** Nobody waits for it: it is asked where there is more room than those who wait will need. */
  #askBehind(asking: Asking): boolean {
    const isAllowed = this.#budget.allows(asker(asking), this.#settings, this.#now(), BEHIND_SHARE);
    if (!isAllowed || this.#places.taken > this.#settings.atOnce * BEHIND_SHARE) return false;
    const question = { ...asking, deadline: this.#deadlineOf(asking.request) };
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

  #connect(question: Question, withoutGroups: readonly number[] = []): void {
    const { request, mirror, deadline } = question;
    this.counts.connections++;
    const { recordVersion } = request;
    const limits = this.#limits;
    const handshake = () => new ProbeHandshake({ mirror, recordVersion, withoutGroups, limits });
    question.giveUp = dial<HandshakeOutcome>({
      request,
      origins: this.#origins,
      timeout: Math.max(1, deadline - this.#now()),
      mark: this.#mark,
      conversation: () => new Upgrade(turnsOf(request, mirror) ?? [], handshake()),
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
        this.#onFinding(question, outcome);
      },
    });
  }

  /** Once more, and without whatever else the server could ask for in vain: it is to choose no number of connections. */
  #onUnusableGroup(question: Question, group: number, withoutGroups: readonly number[]): void {
    if (withoutGroups.length > 0) {
      return this.#onFinding(question, { kind: 'failed', reason: 'unsupported', detail: 'group' });
    }
    this.#budget.count(asker(question), this.#now());
    this.#connect(question, [group, ...unusableGroups(question.mirror)]);
  }

  #next(): void {
    for (;;) {
      const question = this.#places.next(this.#settings.atOnce);
      if (question === undefined) return;
      clearTimeout(question.late);
      this.#connect(question);
    }
  }

  #onFinding(question: Question, finding: ProbeFinding): void {
    const { request, key, charge } = question;
    this.#places.leave(question);
    if (finding.kind === 'certificates' && finding.proven && charge !== undefined) this.#budget.lighten(charge);
    const isRemembered = finding.kind === 'certificates' || OF_THE_SERVER.has(finding.reason);
    if (isRemembered && this.#cache.add(key, finding, this.#now(), this.#settings)) {
      this.counts.inconsistent++;
      this.#options.onInconsistent?.(request);
    }
    this.#settle(question, finding);
    this.#next();
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

  #random(): number {
    return (this.#options.random ?? unpredictable)();
  }
}

/** What comes ahead of TLS; undefined where a probe cannot say it. */
function turnsOf({ starttls, server, tunnels }: ProbeRequest, { hello }: Mirror): readonly Turn[] | undefined {
  if (starttls === null) return [];
  return dialogueOf(starttls, { serverName: hello.serverName, port: server.port, tunnels });
}

/** A client's request, and what it is counted and remembered as. */
interface Asking {
  readonly request: ProbeRequest;
  readonly mirror: Mirror;
  readonly destination: string;
  /** Of clients. */
  readonly group: string;
  readonly key: QuestionKey;
  /** Which flight waits for it. */
  readonly flight: string;
}

function askingOf(request: ProbeRequest, mirror: Mirror, settings: Pick<ProbeSettings, 'source'>): Asking {
  const group = clientGroup(request.client.address);
  const destination = `${addressText(request.server.address)}:${request.server.port}`;
  const tunnels = request.tunnels.map((tunnel) => Buffer.from(tunnel.request ?? []).toString('hex')).join(' ');
  const said = `${sharersOf(request, settings)}${destination} ${request.starttls ?? ''} ${tunnels} ${request.recordVersion}`;
  const key = { exact: `exactly ${said} ${mirror.digest}`, certificate: `${said} ${mirror.digestInAnyOrder}` };
  return { request, mirror, destination, group, key, flight: key.certificate };
}

/** As many usual ones it takes up the memory of. */
function weightOf({ clientHello, tunnels }: ProbeRequest): number {
  const octets = tunnels.reduce((sum, { request }) => sum + (request?.length ?? 0), clientHello.length);
  return Math.max(1, Math.ceil(octets / USUAL_OCTETS));
}

function asker({ request, destination }: Asking): { destination: string; client: ProbeRequest['client'] } {
  return { destination, client: request.client };
}

interface Question extends Asking {
  /** Milliseconds. */
  readonly deadline: number;
  giveUp?: () => void;
  /** Set while it waits for a connection. */
  late?: NodeJS.Timeout;
  charge?: Charge;
}

function unpredictable(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

/**
 * Failures that a server showed, and would show again. One that was silent or took no connection may have had no room:
 * the client that waits for the answer has a connection there itself.
 */
const OF_THE_SERVER: ReadonlySet<ProbeFailure> = new Set(['alert', 'protocol', 'unsupported', 'no-certificate']);
/** Of a question, at the most. */
const USUAL_OCTETS = 4_096;
const BOUNDS: ProbeBounds = { waiting: 256, unanswered: 16_384, entries: 4_096 };
const MAX_RECHECK_DELAY_MS = 2_000;
/** Of every limit, for what nobody waits for. */
const BEHIND_SHARE = 0.5;
