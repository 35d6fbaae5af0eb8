/**
 * Asks servers for their certificates in the place of clients: from memory where the same was asked lately, together
 * where it is being asked now, on the wire otherwise, as often as the limits allow. Every question has one answer, at
 * its deadline at the latest. Knows nothing of pins and of the packets that wait.
 *
 *   probe ─▶ mirror ─▶ cache ─▶ single flight ─▶ limits ─▶ a place among those at once ─▶ conversation ─▶ cache ─▶ done
 *              │         │                         │               waits for one
 *              ▼         ▼ and, now and then,      ▼
 *           failed    done  a probe behind it    failed
 */
import { randomBytes } from 'node:crypto';

import { isFault } from '../bytes/fault.ts';
import type { ProbeAnswer, ProbeFailure, Prober, ProbeRequest } from '../judge/ports.ts';
import { PROBE_DEFAULTS } from '../pins/probe.ts';
import type { ProbePolicy } from '../pins/policy.ts';
import type { ObserverLimits } from '../tls/observer.ts';
import { addressText, isLocal } from './address.ts';
import { ProbeCache, type ProbeFinding } from './cache.ts';
import { converse, type SocketMark } from './connection.ts';
import { type HandshakeOutcome, ProbeHandshake } from './handshake.ts';
import { type Mirror, mirrorOf, unusableGroups } from './mirror.ts';
import { RateLimit } from './rate-limit.ts';
import { SingleFlight } from './single-flight.ts';
import { dialogueOf, type Turn, Upgrade } from './upgrade.ts';

/** What a configuration says, but for the mark, which comes with the way to set it. */
export type ProbeSettings = Omit<ProbePolicy, 'mark'>;

/** What none says. */
export interface ProbeBounds {
  /** Questions that wait for a connection. Beyond: `limited`. */
  readonly waiting: number;
  /** Questions without an answer yet, those that wait for the same one too. Beyond: `limited`. */
  readonly unanswered: number;
  /** Questions whose answers are remembered, and destinations and clients whose connections are counted. */
  readonly entries: number;
}

export interface MirrorProberOptions extends Partial<ProbeSettings & ProbeBounds> {
  /** What a server may send. */
  readonly limits: ObserverLimits;
  /** For every socket: by it the rules let a probe's packets by. */
  readonly mark?: SocketMark | undefined;
  /** A probe was shown another chain than one before it, to the same question. */
  readonly onInconsistent?: ((request: ProbeRequest) => void) | undefined;
  /** How conversations are carried; for tests. */
  readonly converse?: typeof converse;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
  /** From 0 to 1; for tests. */
  readonly random?: () => number;
}

/** All counted from the start. */
export interface ProbeCounts {
  asked: number;
  /** Answered from memory. */
  cached: number;
  /** Answered by a probe that was under way. */
  joined: number;
  /** Connections begun. */
  connections: number;
  /** Further ones that checked an answer from memory, among `connections`. */
  rechecks: number;
  inconsistent: number;
  /** Probes without certificates, and questions that led to none; each once, however many waited or heard of it later. */
  failed: number;
  /** The same by their reasons. */
  readonly failures: Record<ProbeFailure, number>;
}

export class MirrorProber implements Prober {
  readonly counts: ProbeCounts = {
    asked: 0,
    cached: 0,
    joined: 0,
    connections: 0,
    rechecks: 0,
    inconsistent: 0,
    failed: 0,
    failures: { ...NO_FAILURES },
  };
  readonly #options: MirrorProberOptions & ProbeBounds;
  readonly #cache: ProbeCache;
  readonly #flights = new SingleFlight<ProbeAnswer>();
  readonly #destinations: RateLimit;
  readonly #clients: RateLimit;
  readonly #waiting: Question[] = [];
  readonly #underWay = new Set<Question>();
  readonly #rechecks = new Set<NodeJS.Timeout>();
  #settings: ProbeSettings;
  #limits: ObserverLimits;
  #mark: SocketMark | undefined;
  #unanswered = 0;
  #isClosed = false;

  constructor(options: MirrorProberOptions) {
    this.#options = { ...BOUNDS, ...options };
    this.#settings = { ...PROBE_DEFAULTS, ...options };
    this.#limits = options.limits;
    this.#mark = options.mark;
    const { entries } = this.#options;
    this.#cache = new ProbeCache(entries);
    this.#destinations = new RateLimit(entries);
    this.#clients = new RateLimit(entries);
  }

  /**
   * Another configuration: holds for every question that comes, and for those that wait for a connection. What is under
   * way ends as it began; what is remembered and counted is kept, and judged by the new numbers.
   */
  configure(policy: ProbePolicy, limits: ObserverLimits): void {
    this.#settings = policy;
    this.#limits = limits;
    if (this.#mark !== undefined) this.#mark = { ...this.#mark, value: policy.mark };
    this.#next();
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void): void {
    this.counts.asked++;
    const refuse = (reason: ProbeFailure, detail = '') => {
      this.#countFailure(reason);
      done({ kind: 'failed', reason, detail, fromCache: false });
    };
    if (this.#isClosed) return refuse('stopped');
    if (!this.#settings.allowLocal && isLocal(request.server.address)) return refuse('forbidden', 'local address');
    const mirror = mirrorOf(request.clientHello);
    if (isFault(mirror)) return refuse('unsupported', mirror.code);
    if (turnsOf(request, mirror) === undefined) return refuse('unsupported', request.starttls ?? '');
    const destination = `${addressText(request.server.address)}:${request.server.port}`;
    const key = `${destination} ${request.starttls ?? ''} ${mirror.digest}`;
    const known = this.#cache.find(key, this.#now(), this.#settings);
    if (known !== undefined) {
      this.counts.cached++;
      done(known);
      if (known.kind === 'certificates') this.#maybeRecheck(request, mirror, destination, key);
      return;
    }
    if (this.#unanswered >= this.#options.unanswered) return refuse('limited', 'unanswered');
    this.#unanswered++;
    const isFirst = this.#flights.join(key, (answer) => {
      this.#unanswered--;
      done(answer);
    });
    if (!isFirst) {
      this.counts.joined++;
      return;
    }
    this.#ask({ request, mirror, destination, key });
  }

  /** Forgets what servers showed. */
  forget(): void {
    this.#cache.clear();
  }

  /** Ends what is under way; every question is answered. */
  close(): void {
    this.#isClosed = true;
    for (const timer of this.#rechecks) clearTimeout(timer);
    this.#rechecks.clear();
    for (const question of [...this.#waiting.splice(0), ...this.#underWay]) {
      clearTimeout(question.late);
      question.giveUp();
    }
  }

  /** A man in the middle who lets the first connection through is not to know which of the others is watched. */
  #maybeRecheck(request: ProbeRequest, mirror: Mirror, destination: string, key: string): void {
    if (this.#random() >= this.#settings.recheck || this.#rechecks.size >= this.#options.waiting) return;
    const again = () => {
      this.#rechecks.delete(timer);
      // What is left of the limits is for those who wait.
      if (!this.#isAllowed(request, destination, RECHECK_SHARE) || !this.#hasPlace()) return;
      if (!this.#flights.join(key, () => {})) return;
      this.counts.rechecks++;
      this.#ask({ request, mirror, destination, key });
    };
    const timer = setTimeout(again, this.#random() * MAX_RECHECK_DELAY_MS);
    timer.unref();
    this.#rechecks.add(timer);
  }

  /** Finds out what the flight of `key` waits for. */
  #ask({ request, mirror, destination, key }: Omit<Question, 'deadline' | 'giveUp'>): void {
    const now = this.#now();
    const isAllowed = this.#isAllowed(request, destination);
    if (!isAllowed || this.#waiting.length >= this.#options.waiting) {
      return this.#settle(key, { kind: 'failed', reason: 'limited', detail: isAllowed ? 'waiting' : destination });
    }
    this.#destinations.count(destination, now);
    this.#clients.count(addressText(request.client.address), now);
    const { timeout } = this.#settings;
    const question: Question = {
      request,
      mirror,
      destination,
      key,
      deadline: now + timeout,
      giveUp: () => this.#settle(key, { kind: 'failed', reason: 'stopped', detail: '' }),
    };
    if (this.#hasPlace()) return this.#connect(question);
    const late = setTimeout(() => this.#onLate(question), timeout);
    late.unref();
    question.late = late;
    this.#waiting.push(question);
  }

  #isAllowed({ client }: ProbeRequest, destination: string, share = 1): boolean {
    const now = this.#now();
    const { perDestination, perClient } = this.#settings;
    return (
      this.#destinations.allows(destination, perDestination * share, now) &&
      this.#clients.allows(addressText(client.address), perClient * share, now)
    );
  }

  #hasPlace(): boolean {
    return this.#underWay.size < this.#settings.atOnce;
  }

  #onLate(question: Question): void {
    this.#waiting.splice(this.#waiting.indexOf(question), 1);
    this.#settle(question.key, { kind: 'failed', reason: 'timeout', detail: 'waiting' });
  }

  #connect(question: Question, withoutGroups: readonly number[] = []): void {
    const { request, mirror, deadline } = question;
    this.#underWay.add(question);
    this.counts.connections++;
    const { recordVersion } = request;
    const handshake = new ProbeHandshake({ mirror, recordVersion, withoutGroups, limits: this.#limits });
    question.giveUp = (this.#options.converse ?? converse)<HandshakeOutcome>({
      server: request.server,
      timeout: Math.max(1, deadline - this.#now()),
      mark: this.#mark,
      conversation: new Upgrade(turnsOf(request, mirror) ?? [], handshake),
      done: (outcome) => {
        this.#underWay.delete(question);
        if (outcome.kind === 'unusable-group') return this.#onUnusableGroup(question, outcome.group, withoutGroups);
        this.#onFinding(question, outcome);
        this.#next();
      },
    });
  }

  /** Once more, and without whatever else the server could ask for in vain: it is to choose no number of connections. */
  #onUnusableGroup(question: Question, group: number, withoutGroups: readonly number[]): void {
    if (withoutGroups.length === 0) {
      this.#destinations.count(question.destination, this.#now());
      return this.#connect(question, [group, ...unusableGroups(question.mirror)]);
    }
    this.#onFinding(question, { kind: 'failed', reason: 'unsupported', detail: 'group' });
    this.#next();
  }

  #next(): void {
    while (this.#hasPlace()) {
      const question = this.#waiting.shift();
      if (question === undefined) return;
      clearTimeout(question.late);
      this.#connect(question);
    }
  }

  #onFinding({ request, key }: Question, finding: ProbeFinding): void {
    const now = this.#now();
    const isRemembered = finding.kind === 'certificates' || !NOT_OF_THE_SERVER.has(finding.reason);
    if (isRemembered && this.#cache.add(key, finding, now, this.#settings)) {
      this.counts.inconsistent++;
      this.#options.onInconsistent?.(request);
    }
    this.#settle(key, finding);
  }

  #settle(key: string, finding: ProbeFinding): void {
    if (finding.kind === 'failed') this.#countFailure(finding.reason);
    const known = finding.kind === 'certificates' ? this.#cache.find(key, this.#now(), this.#settings) : undefined;
    const alternatives = known?.kind === 'certificates' ? known.alternatives : [];
    const answer = finding.kind === 'certificates' ? { ...finding, alternatives } : finding;
    this.#flights.settle(key, { ...answer, fromCache: false });
  }

  #countFailure(reason: ProbeFailure): void {
    this.counts.failed++;
    this.counts.failures[reason]++;
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #random(): number {
    return (this.#options.random ?? unpredictable)();
  }
}

/** What comes ahead of TLS; undefined where a probe cannot say it. */
function turnsOf({ starttls, server }: ProbeRequest, { hello }: Mirror): readonly Turn[] | undefined {
  return starttls === null ? [] : dialogueOf(starttls, { serverName: hello.serverName, port: server.port });
}

interface Question {
  readonly request: ProbeRequest;
  readonly mirror: Mirror;
  readonly destination: string;
  readonly key: string;
  /** Milliseconds. */
  readonly deadline: number;
  giveUp: () => void;
  /** Set while it waits for a connection. */
  late?: NodeJS.Timeout;
}

function unpredictable(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

/** Failures that say nothing of the server. */
const NOT_OF_THE_SERVER: ReadonlySet<ProbeFailure> = new Set(['not-marked', 'stopped']);
const NO_FAILURES: Readonly<Record<ProbeFailure, number>> = {
  unreachable: 0,
  closed: 0,
  timeout: 0,
  alert: 0,
  protocol: 0,
  unsupported: 0,
  'no-certificate': 0,
  limited: 0,
  forbidden: 0,
  'not-marked': 0,
  stopped: 0,
};
const BOUNDS: ProbeBounds = { waiting: 256, unanswered: 16_384, entries: 4_096 };
const MAX_RECHECK_DELAY_MS = 2_000;
const RECHECK_SHARE = 0.5;
