/**
 * Learns what pinned hosts present, says what it makes of it, and puts what is settled into a policy: hosts of pinsets
 * with `then: enforce` are held to their keys. It counts only what a server has proven to a client that was let through
 * and went on. Knows no sockets and no threads; whoever loads policies asks `refine`.
 */
import { createHash } from 'node:crypto';

import type { AnomalyCode, AnomalyEvent, FlowEvent, Reason, VerdictEvent } from '../judge/events.ts';
import { coversHost, hostOf } from '../pins/match/learning.ts';
import type { CompiledPin, CompiledPinset, LearnPolicy, Policy } from '../pins/policy.ts';
import { type AcceptRequest, refusedFor } from './accept.ts';
import { type BookLimits, LearnBook } from './book.ts';
import { type LearnedChain, readChain, type Roots } from './chain.ts';
import { type Corroboration, type HostSighting, Votes } from './corroboration.ts';
import { findHosts, type ForgetRequest, type ForgottenHost } from './forget.ts';
import { IdlePromotions } from './idle-promotions.ts';
import type { LearnedHost, LearnState } from './state.ts';
import { readState, StateFile } from './state-file.ts';

export interface LearnerOptions {
  readonly policy: LearnPolicy;
  /** One line to the operator. */
  readonly say: (line: string) => void;
  /** Authorities that everybody trusts; those of Node.js unless given. */
  readonly roots?: Roots | undefined;
  /** Milliseconds on a clock that nobody sets; for tests. */
  readonly now?: (() => number) | undefined;
  /** Undefined where nobody else has to have seen a key. */
  readonly elsewhere?: Corroboration | undefined;
}

export interface Lesson {
  readonly anomalies: readonly AnomalyEvent[];
  /** The policy is to be refined anew. */
  readonly hasChanged: boolean;
}

export class Learner {
  #book: LearnBook;
  readonly #file: StateFile;
  readonly #path: string;
  readonly #roots: Roots | undefined;
  readonly #now: () => number;
  /** Pinsets that learn, by name. */
  #pinsets = new Map<string, CompiledPinset>();
  /** What has been said once: it is said again only after a restart, or when much else has been said. */
  readonly #said = new Set<string>();
  /** Chains of late, by pinset and host: what is neither news nor counted costs no signatures. */
  readonly #latest = new Map<string, { readonly digest: string; readonly at: number }>();
  #hash = '';
  /** Of hosts that were held and are forgotten, the policy by which they were: what it let through does not count. */
  readonly #stale = new Map<string, string>();
  readonly #idle: IdlePromotions;
  readonly #elsewhere: Corroboration | undefined;
  #anomalies: AnomalyEvent[] = [];
  #hasChanged = false;

  /** Throws a sentence with the cure where what was learned before cannot be read. */
  constructor({ policy, say, roots, now = () => performance.now(), elsewhere }: LearnerOptions) {
    this.#book = new LearnBook(readState(policy.file!), policy);
    this.#file = new StateFile(policy.file!, () => this.#book.state, say);
    this.#path = policy.file!;
    this.#idle = new IdlePromotions(policy.file!, say);
    this.#elsewhere = elsewhere;
    this.#roots = roots;
    this.#now = now;
  }

  /** Another process wrote the file until now. The policy has to be refined anew. */
  reread(): void {
    this.#book = new LearnBook(readState(this.#path), this.#book.limits);
    this.#latest.clear();
    this.#elsewhere?.touch();
  }

  get limits(): BookLimits {
    return this.#book.limits;
  }

  /** Keys that sign for unrelated hosts, with sites of these. */
  get shared(): LearnState['shared'] {
    return this.#book.shared;
  }

  hosts(): Iterable<readonly [pinset: string, host: string, learned: LearnedHost]> {
    return this.#book.hosts();
  }

  /** What others say of the host, in a sentence. */
  elsewhere(pinset: string, host: string): string | undefined {
    return new Votes(this.#elsewhere, pinset, host).told;
  }

  /** What others may be told of the host. */
  sightingOf(learned: LearnedHost): HostSighting {
    return this.#book.sightingOf(learned);
  }

  /**
   * The policy with what was learned in it, and a hash that tells. What it learns from now on is by this policy. What was
   * learned by another and means nothing in this one is kept, and said.
   */
  refine(policy: Policy): Policy {
    this.#book.limits = policy.learn;
    this.#latest.clear();
    this.#pinsets = new Map(
      policy.pinsets.filter(({ mode }) => mode === 'learn').map((pinset) => [pinset.name, pinset]),
    );
    const hash = createHash('sha256').update(policy.hash);
    let isRefined = false;
    const pinsets = policy.pinsets.map((pinset) => {
      const learned = this.#learnedOf(pinset);
      if (learned.size === 0) return pinset;
      isRefined = true;
      for (const [host, { pins }] of learned)
        hash.update(`\n${pinset.name} ${host} ${pins.map(canonicalOf).join(' ')}`);
      return { ...pinset, learned };
    });
    this.#idle.look(this.#book.hosts(), policy, pinsets);
    const refined = isRefined ? { ...policy, pinsets, hash: `sha256:${hash.digest('hex')}` } : policy;
    this.#hash = refined.hash;
    return refined;
  }

  observe(events: readonly FlowEvent[]): Lesson {
    for (const event of events) {
      if (event.kind === 'verdict') this.#onVerdict(event);
      if (event.kind === 'continued') this.#onContinued(event.verdict);
    }
    const lesson = { anomalies: this.#anomalies, hasChanged: this.#hasChanged };
    this.#anomalies = [];
    this.#hasChanged = false;
    return lesson;
  }

  /** Resolves when everything up to now is in the file. */
  save(): Promise<void> {
    return this.#file.save();
  }

  /**
   * Hosts, or everything of pinsets, as if never seen: in the file first, then here. All of them or, with a sentence,
   * none. The policy has to be refined anew.
   */
  async forget(request: ForgetRequest): Promise<readonly ForgottenHost[]> {
    let found: readonly ForgottenHost[] = [];
    await this.#file.change(
      () => {
        found = findHosts(this.#book, request);
        const after = new LearnBook(structuredClone(this.#book.state), this.#book.limits);
        for (const { pinset, host } of found) after.forget(pinset, host);
        return after.state;
      },
      () => {
        if (this.#stale.size >= MOST_REMEMBERED) this.#stale.clear();
        for (const { pinset, host, held } of found) {
          this.#book.forget(pinset, host);
          if (held !== null) this.#stale.set(`${pinset} ${host}`, this.#hash);
        }
      },
    );
    this.#latest.clear();
    this.#elsewhere?.touch();
    return found;
  }

  /**
   * Hosts that were refused for a key are held to it as well: in the file first, then here. The hosts; rejects with a
   * sentence where it was refused to none. The policy has to be refined anew.
   */
  async accept(request: AcceptRequest): Promise<readonly string[]> {
    let hosts: readonly string[] = [];
    const hold = (book: LearnBook): void => {
      for (const host of hosts) book.hold(book.hostsOf(request.pinset).get(host)!, request.spki);
    };
    await this.#file.change(
      () => {
        hosts = refusedFor(this.#book, request);
        const after = new LearnBook(structuredClone(this.#book.state), this.#book.limits);
        hold(after);
        return after.state;
      },
      () => hold(this.#book),
    );
    return hosts;
  }

  #learnedOf(pinset: CompiledPinset): Map<string, CompiledPinset> {
    const learned = new Map<string, CompiledPinset>();
    if (pinset.mode !== 'learn' || pinset.then !== 'enforce') return learned;
    for (const [host, known] of this.#book.hostsOf(pinset.name)) {
      const { promoted } = known;
      if (promoted === null || !this.#book.stands(known) || !coversHost(pinset.match, host)) continue;
      learned.set(host, { ...pinset, mode: 'enforce', pins: [...pinset.pins, ...promoted.keys.map(pinOf)] });
    }
    return learned;
  }

  /** What was denied: of a host that is held, it is a change. */
  #onVerdict(event: VerdictEvent): void {
    if (event.action === 'accept') return;
    for (const { pinset, host, reason } of this.#subjectsOf(event)) {
      const known = this.#book.hostsOf(pinset.name).get(host);
      if (known === undefined || known.promoted === null || !CHANGES.has(reason)) continue;
      this.#onRefused(event, pinset, host, known);
    }
  }

  #onContinued(event: VerdictEvent): void {
    for (const { pinset, host, reason } of this.#subjectsOf(event)) {
      const isStale = this.#stale.get(`${pinset.name} ${host}`) === event.config;
      if (counts(event, reason) && !isStale) this.#onObserved(event, pinset, host);
    }
  }

  /** The pinsets that learn among those that had to do with the flow, and what it was to them. */
  *#subjectsOf(event: VerdictEvent) {
    const certificates = event.tls?.certificates ?? [];
    if (certificates.length === 0 || this.#pinsets.size === 0) return;
    const outcomes = [{ pinset: event.pinset, reason: event.reason }, ...event.others];
    for (const { pinset: name, reason } of outcomes) {
      const pinset = this.#pinsets.get(name ?? '');
      if (pinset === undefined) continue;
      const host = hostOf(pinset.match, event.server, event.tls!.sni);
      if (RECORDABLE.test(host)) yield { pinset, host, reason };
    }
  }

  #onObserved(event: VerdictEvent, pinset: CompiledPinset, host: string): void {
    const { observations } = this.#book.limits;
    const atMs = event.time / 1000;
    const now = this.#now();
    if (this.#isNoNews(pinset, host, event.tls!.certificates, now)) return;
    const chain = this.#chainOf(event, host);
    const learned = this.#book.observe(pinset.name, host, chain, atMs, now);
    this.#warnOfRoom(event, pinset, host);
    if (learned === undefined) return;
    this.#file.touch();
    this.#elsewhere?.touch();
    this.#warnOfShared(event, pinset, chain);
    const others = new Votes(this.#elsewhere, pinset.name, host);
    const disputed = others.disagreement(this.#book.sightingOf(learned));
    if (disputed !== undefined) this.#note(event, 'learn.disputed', disputed, `disputed ${disputed}`);
    if (pinset.then !== 'enforce' || (learned.promoted !== null && this.#book.stands(learned))) return;
    const readiness = this.#book.readinessOf(learned, others);
    if (readiness.kind !== 'ready') return;
    const held = [...readiness.keys.map(({ spki }) => spki), ...readiness.more];
    this.#book.promote(learned, held, atMs);
    this.#hasChanged = true;
    const keys = held.map((spki) => `spki-sha256:${spki}`).join(' ');
    this.#note(
      event,
      'learn.promoted',
      `${pinset.name}: ${host} is held to ${keys} from now on, seen ${observations} times${others.text}`,
    );
  }

  #warnOfRoom(event: VerdictEvent, { name }: CompiledPinset, host: string): void {
    const { unrecorded, displaced, limits } = this.#book;
    const full = `there are ${limits.hosts} already (learn.hosts)`;
    if (displaced > 0) {
      const detail = `${name}: ${host} took the place of a host that was seen once only, as others will: ${full}`;
      this.#note(event, 'learn.full', detail, 'displaced');
    }
    if (unrecorded > 0) {
      const detail = `${name}: ${host} is not recorded, nor is any other new host: ${full}`;
      this.#note(event, 'learn.full', detail, 'full');
    }
  }

  /** The same chain again, so soon that it does not count. */
  #isNoNews({ name }: CompiledPinset, host: string, certificates: readonly Uint8Array[], now: number): boolean {
    const hash = createHash('sha256');
    for (const der of certificates) hash.update(`${der.length} `).update(der);
    const digest = hash.digest('base64');
    const id = `${name} ${host}`;
    const latest = this.#latest.get(id);
    if (latest?.digest === digest && now - latest.at < this.#book.limits.spacing * 1000) return true;
    if (this.#latest.size >= MOST_REMEMBERED) this.#latest.clear();
    this.#latest.set(id, { digest, at: now });
    return false;
  }

  /**
   * A key that signs for unrelated hosts is not promoted. A host that is held to it already as its own key is held no
   * more; one whose issuer it turns out to be stays held, since whoever has a certificate of that issuer could let it go.
   */
  #warnOfShared(event: VerdictEvent, pinset: CompiledPinset, chain: LearnedChain | null): void {
    if (chain === null) return;
    const suspects = [chain.leaf, ...(chain.isPublic ? [] : chain.issuers)];
    for (const { spki, subject } of suspects) {
      const sites = this.#book.sitesOf(spki);
      if (sites.length === 0 || this.#said.has(`shared ${spki}`)) continue;
      this.#hasChanged = true;
      const held = this.#heldBelow(pinset, spki);
      const cure =
        held.length === 0
          ? ''
          : `; ${held.join(', ')}: held to a key below it since before this was known: tlspin learn forget, if that is a proxy's`;
      const detail = `spki-sha256:${spki} (${subject ?? 'unreadable'}) signs for ${sites.join(' and ')}, as an interception proxy's key does: it is neither proposed nor promoted; if it is meant, write it into the pinset, with a comment${cure}`;
      this.#note(event, 'learn.shared-key', detail, `shared ${spki}`);
    }
  }

  /** Some of the promoted hosts that the key signs for. */
  #heldBelow({ name }: CompiledPinset, spki: string): string[] {
    const hosts = [...this.#book.hostsOf(name)].filter(
      ([, { promoted, keys }]) =>
        promoted !== null && keys.some((key) => promoted.keys.includes(key.spki) && key.issuers.includes(spki)),
    );
    return hosts.map(([host]) => host).slice(0, HOSTS_NAMED);
  }

  /** The verdict says that the pins did not match; this says what has changed. */
  #onRefused(event: VerdictEvent, pinset: CompiledPinset, host: string, known: LearnedHost): void {
    const chain = this.#chainOf(event, host);
    if (chain === null || known.promoted!.keys.includes(chain.leaf.spki)) return;
    this.#book.refuse(known, chain.leaf, event.time / 1000);
    this.#file.touch();
    const old = known.promoted!.keys.map((spki) => `spki-sha256:${spki}`).join(' ');
    const since = known.promoted!.at.slice(0, 10);
    const detail = `${pinset.name}: ${host} showed spki-sha256:${chain.leaf.spki} (${chain.leaf.subject ?? 'unreadable'}) instead of ${old}, which it is held to since ${since}; if the change is genuine, add the new key to the pinset's "pins", or have it learned anew: tlspin learn forget ${host}`;
    this.#note(event, 'learn.changed', detail);
  }

  #chainOf(event: VerdictEvent, host: string): LearnedChain | null {
    const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return readChain(event.tls!.certificates, name, event.time / 1000, this.#roots);
  }

  /** `once`: what is not said twice. */
  #note(event: VerdictEvent, code: AnomalyCode, detail: string, once?: string): void {
    if (once !== undefined && this.#said.has(once)) return;
    if (this.#said.size >= MOST_REMEMBERED) this.#said.clear();
    if (once !== undefined) this.#said.add(once);
    const { time, flowId, client, server } = event;
    this.#anomalies.push({ kind: 'anomaly', time, flowId, client, server, code, detail });
  }
}

/** Nobody may have refused the flow, and the server must have shown that the key is its own. */
function counts({ action, evidence, proven }: VerdictEvent, reason: Reason): boolean {
  return action === 'accept' && EVIDENCE.has(evidence) && proven === true && LEARNED_REASONS.has(reason);
}

function pinOf(spki: string): CompiledPin {
  return {
    canonical: `spki-sha256:${spki}`,
    kind: 'spki-sha256',
    key: Buffer.from(spki, 'base64').toString('hex'),
    at: 'leaf',
    role: 'primary',
    notBefore: null,
    expires: null,
    der: null,
  };
}

const canonicalOf = ({ canonical }: CompiledPin): string => canonical;

const EVIDENCE: ReadonlySet<string> = new Set(['observed', 'probed', 'decrypted']);
/** What failed a check besides the pins is not worth learning. */
const LEARNED_REASONS: ReadonlySet<Reason> = new Set([
  'learning',
  'pin-match',
  'backup-pin-match',
  'pin-mismatch',
  'probe-match',
  'probe-mismatch',
]);
const CHANGES: ReadonlySet<Reason> = new Set(['pin-mismatch', 'probe-mismatch']);
const MOST_REMEMBERED = 8_192;
const HOSTS_NAMED = 8;
/** Names are the client's: what is no host name is not written down. */
const RECORDABLE = /^(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\]):\d+$/;
