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
import type { ProbeAnswer, ProbeFailure, Prober, ProbeRequest } from '../engine/ports.ts';
import type { ObserverLimits } from '../tls/observer.ts';
import { addressText, isLocal } from './address.ts';
import { ProbeCache, type ProbeFinding } from './cache.ts';
import { converse, type SocketMark } from './connection.ts';
import { type HandshakeOutcome, ProbeHandshake } from './handshake.ts';
import { type Mirror, mirrorOf } from './mirror.ts';
import { RateLimit } from './rate-limit.ts';
import { SingleFlight } from './single-flight.ts';
import { dialogueOf, type Turn, Upgrade } from './upgrade.ts';

export const PROBE_DEFAULTS = {
  /** Milliseconds from the question to its answer. */
  timeout: 3_000,
  /** Connections at a time; further questions wait for one of them to end. */
  atOnce: 32,
  /** Questions that wait. Beyond: `limited`. */
  waiting: 256,
  /** Connections a minute to an address and port. Beyond: `limited`. */
  perDestination: 6,
  /** Connections a minute for a client's address. Beyond: `limited`. */
  perClient: 60,
  /** Milliseconds that certificates, and failures, are remembered. */
  ttl: 60_000,
  negativeTtl: 30_000,
  /** Questions that are remembered. */
  entries: 4_096,
  /** Share of the answers from memory that are checked afterwards by a further probe. */
  recheck: 0.1,
  /** Also loopback and link-local addresses. */
  allowLocal: false,
} as const;

export type ProbeSettings = {
  readonly [name in keyof typeof PROBE_DEFAULTS]: (typeof PROBE_DEFAULTS)[name] extends boolean ? boolean : number;
};

export interface MirrorProberOptions extends Partial<ProbeSettings> {
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
  limited: number;
  failed: number;
  inconsistent: number;
}

export class MirrorProber implements Prober {
  readonly counts: ProbeCounts = {
    asked: 0,
    cached: 0,
    joined: 0,
    connections: 0,
    limited: 0,
    failed: 0,
    inconsistent: 0,
  };
  readonly #options: MirrorProberOptions & ProbeSettings;
  readonly #cache: ProbeCache;
  readonly #flights = new SingleFlight<ProbeAnswer>();
  readonly #destinations: RateLimit;
  readonly #clients: RateLimit;
  readonly #waiting: Question[] = [];
  readonly #underWay = new Set<Question>();
  readonly #rechecks = new Set<NodeJS.Timeout>();
  #isClosed = false;

  constructor(options: MirrorProberOptions) {
    this.#options = { ...PROBE_DEFAULTS, ...options };
    this.#cache = new ProbeCache(this.#options);
    this.#destinations = new RateLimit(this.#options.perDestination, this.#options.entries);
    this.#clients = new RateLimit(this.#options.perClient, this.#options.entries);
  }

  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void): void {
    this.counts.asked++;
    const refuse = (reason: ProbeFailure, detail = '') => {
      this.counts.failed++;
      done({ kind: 'failed', reason, detail, fromCache: false });
    };
    if (this.#isClosed) return refuse('stopped');
    if (!this.#options.allowLocal && isLocal(request.server.address)) return refuse('forbidden', 'local address');
    const mirror = mirrorOf(request.clientHello);
    if (isFault(mirror)) return refuse('unsupported', mirror.code);
    if (turnsOf(request, mirror) === undefined) return refuse('unsupported', request.starttls ?? '');
    const destination = `${addressText(request.server.address)}:${request.server.port}`;
    const key = `${destination} ${request.starttls ?? ''} ${mirror.digest}`;
    const known = this.#cache.find(key, this.#now());
    if (known !== undefined) {
      this.counts.cached++;
      done(known);
      if (known.kind === 'certificates') this.#maybeRecheck(request, mirror, destination, key);
      return;
    }
    if (!this.#flights.join(key, done)) {
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
    for (const question of [...this.#waiting.splice(0), ...this.#underWay]) question.giveUp();
  }

  /** A man in the middle who lets the first connection through is not to know which of the others is watched. */
  #maybeRecheck(request: ProbeRequest, mirror: Mirror, destination: string, key: string): void {
    if (this.#random() >= this.#options.recheck || this.#rechecks.size >= this.#options.waiting) return;
    const again = () => {
      this.#rechecks.delete(timer);
      // What is left of the limits is for those who wait.
      if (!this.#isAllowed(request, destination, RECHECK_SHARE) || this.#underWay.size >= this.#options.atOnce) return;
      if (this.#flights.join(key, () => {})) this.#ask({ request, mirror, destination, key });
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
      this.counts.limited++;
      return this.#settle(key, { kind: 'failed', reason: 'limited', detail: isAllowed ? 'waiting' : destination });
    }
    this.#destinations.count(destination, now);
    this.#clients.count(addressText(request.client.address), now);
    const question: Question = {
      request,
      mirror,
      destination,
      key,
      deadline: now + this.#options.timeout,
      giveUp: () => this.#settle(key, { kind: 'failed', reason: 'stopped', detail: '' }),
    };
    if (this.#underWay.size < this.#options.atOnce) return this.#connect(question);
    this.#waiting.push(question);
    const late = setTimeout(() => this.#onLate(question), this.#options.timeout);
    late.unref();
  }

  #isAllowed({ client }: ProbeRequest, destination: string, share = 1): boolean {
    const now = this.#now();
    const address = addressText(client.address);
    return this.#destinations.allows(destination, now, share) && this.#clients.allows(address, now, share);
  }

  #onLate(question: Question): void {
    const index = this.#waiting.indexOf(question);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#settle(question.key, { kind: 'failed', reason: 'timeout', detail: 'waiting' });
  }

  #connect(question: Question, withoutGroups: readonly number[] = []): void {
    const { request, mirror, deadline } = question;
    this.#underWay.add(question);
    this.counts.connections++;
    const { recordVersion } = request;
    const handshake = new ProbeHandshake({ mirror, recordVersion, withoutGroups, limits: this.#options.limits });
    question.giveUp = (this.#options.converse ?? converse)<HandshakeOutcome>({
      server: request.server,
      timeout: Math.max(1, deadline - this.#now()),
      mark: this.#options.mark,
      conversation: new Upgrade(turnsOf(request, mirror) ?? [], handshake),
      done: (outcome) => {
        this.#underWay.delete(question);
        if (outcome.kind === 'unusable-group') return this.#connect(question, [...withoutGroups, outcome.group]);
        this.#onFinding(question, outcome);
        this.#next();
      },
    });
  }

  #next(): void {
    const question = this.#waiting.shift();
    if (question !== undefined) this.#connect(question);
  }

  #onFinding({ request, key }: Question, finding: ProbeFinding): void {
    const now = this.#now();
    const isRemembered = finding.kind === 'certificates' || !NOT_OF_THE_SERVER.has(finding.reason);
    if (isRemembered && this.#cache.add(key, finding, now)) {
      this.counts.inconsistent++;
      this.#options.onInconsistent?.(request);
    }
    this.#settle(key, finding);
  }

  #settle(key: string, finding: ProbeFinding): void {
    if (finding.kind === 'failed') this.counts.failed++;
    const known = finding.kind === 'certificates' ? this.#cache.find(key, this.#now()) : undefined;
    const alternatives = known?.kind === 'certificates' ? known.alternatives : [];
    const answer = finding.kind === 'certificates' ? { ...finding, alternatives } : finding;
    this.#flights.settle(key, { ...answer, fromCache: false });
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
}

function unpredictable(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

/** Failures that say nothing of the server. */
const NOT_OF_THE_SERVER: ReadonlySet<ProbeFailure> = new Set(['not-marked', 'stopped']);
const MAX_RECHECK_DELAY_MS = 2_000;
const RECHECK_SHARE = 0.5;
