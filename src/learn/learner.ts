/**
 * Learns of verdicts what pinned hosts present, says what it makes of it, and puts what is settled into a policy: hosts
 * of pinsets with `then: enforce` are held to their keys. It counts only what a server has proven to a client that was
 * let through. Knows no sockets and no threads; whoever loads policies asks `refine`.
 */
import { createHash } from 'node:crypto';

import type { AnomalyEvent, FlowEvent, Reason, VerdictEvent } from '../engine/events.ts';
import { hostOf } from '../pins/learning.ts';
import type { CompiledPin, CompiledPinset, LearnPolicy, Policy } from '../pins/policy.ts';
import { LearnBook } from './book.ts';
import { type LearnedChain, readChain, type Roots } from './chain.ts';
import type { LearnedHost } from './state.ts';
import { readState, StateFile } from './state-file.ts';

export interface LearnerOptions {
  readonly policy: LearnPolicy;
  /** One line to the operator. */
  readonly say: (line: string) => void;
  /** Authorities that everybody trusts; those of Node.js unless given. */
  readonly roots?: Roots | undefined;
}

export interface Lesson {
  readonly anomalies: readonly AnomalyEvent[];
  /** The policy is to be refined anew. */
  readonly hasChanged: boolean;
}

export class Learner {
  readonly #book: LearnBook;
  readonly #file: StateFile;
  readonly #roots: Roots | undefined;
  /** Pinsets that learn, by name. */
  #pinsets = new Map<string, CompiledPinset>();
  /** What has been said once: it is said again only after a restart. */
  readonly #said = new Set<string>();
  #anomalies: AnomalyEvent[] = [];
  #hasChanged = false;

  /** Throws a sentence with the cure where what was learned before cannot be read. */
  constructor({ policy, say, roots }: LearnerOptions) {
    this.#book = new LearnBook(readState(policy.file!), policy);
    this.#file = new StateFile(policy.file!, () => this.#book.state, say);
    this.#roots = roots;
  }

  /** The policy with what was learned in it, and a hash that tells. What it learns from now on is by this policy. */
  refine(policy: Policy): Policy {
    this.#book.limits = policy.learn;
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
    return isRefined ? { ...policy, pinsets, hash: `sha256:${hash.digest('hex')}` } : policy;
  }

  observe(events: readonly FlowEvent[]): Lesson {
    for (const event of events) if (event.kind === 'verdict') this.#onVerdict(event);
    const lesson = { anomalies: this.#anomalies, hasChanged: this.#hasChanged };
    this.#anomalies = [];
    this.#hasChanged = false;
    return lesson;
  }

  /** Resolves when everything up to now is in the file. */
  save(): Promise<void> {
    return this.#file.save();
  }

  #learnedOf(pinset: CompiledPinset): Map<string, CompiledPinset> {
    const learned = new Map<string, CompiledPinset>();
    if (pinset.mode !== 'learn' || pinset.then !== 'enforce') return learned;
    for (const [host, known] of this.#book.hostsOf(pinset.name)) {
      const { promoted } = known;
      if (promoted === null || !this.#book.stands(known)) continue;
      learned.set(host, { ...pinset, mode: 'enforce', pins: [...pinset.pins, ...promoted.keys.map(pinOf)] });
    }
    return learned;
  }

  #onVerdict(event: VerdictEvent): void {
    const certificates = event.tls?.certificates ?? [];
    if (certificates.length === 0 || this.#pinsets.size === 0) return;
    const outcomes = [{ pinset: event.pinset, reason: event.reason }, ...event.others];
    for (const { pinset: name, reason } of outcomes) {
      const pinset = this.#pinsets.get(name ?? '');
      if (pinset === undefined) continue;
      const host = hostOf(pinset.match, event.server, event.tls!.sni);
      if (!RECORDABLE.test(host)) continue;
      const known = this.#book.hostsOf(pinset.name).get(host);
      if (known !== undefined && known.promoted !== null && reason === 'pin-mismatch' && event.action !== 'accept') {
        this.#onRefused(event, pinset, host, known);
      } else if (counts(event, reason)) {
        this.#onObserved(event, pinset, host);
      }
    }
  }

  #onObserved(event: VerdictEvent, pinset: CompiledPinset, host: string): void {
    const { observations } = this.#book.limits;
    const atMs = event.time / 1000;
    const chain = this.#chainOf(event, host);
    const learned = this.#book.observe(pinset.name, host, chain, atMs);
    if (learned === undefined) {
      const detail = `${pinset.name}: ${host} is not recorded, nor is any other new host: there are ${this.#book.limits.hosts} already (learn.hosts)`;
      return this.#note(event, 'learn.full', detail, 'full');
    }
    this.#file.touch();
    this.#warnOfShared(event, chain);
    if (pinset.then !== 'enforce' || (learned.promoted !== null && this.#book.stands(learned))) return;
    const readiness = this.#book.readinessOf(learned);
    if (readiness.kind !== 'ready') return;
    this.#book.promote(learned, readiness.keys, atMs);
    this.#hasChanged = true;
    const keys = readiness.keys.map(({ spki }) => `spki-sha256:${spki}`).join(' ');
    this.#note(
      event,
      'learn.promoted',
      `${pinset.name}: ${host} is held to ${keys} from now on, seen ${observations} times`,
    );
  }

  /** A key that signs for unrelated hosts was never to be promoted: where it has been, that is taken back. */
  #warnOfShared(event: VerdictEvent, chain: LearnedChain | null): void {
    if (chain === null) return;
    const suspects = [chain.leaf, ...(chain.isPublic ? [] : chain.issuers)];
    for (const { spki, subject } of suspects) {
      const sites = this.#book.sitesOf(spki);
      if (sites.length === 0 || this.#said.has(`shared ${spki}`)) continue;
      this.#hasChanged = true;
      const detail = `spki-sha256:${spki} (${subject ?? 'unreadable'}) signs for ${sites.join(' and ')}, as an interception proxy's key does: it is neither proposed nor promoted; if it is meant, write it into the pinset, with a comment`;
      this.#note(event, 'learn.shared-key', detail, `shared ${spki}`);
    }
  }

  /** The verdict says that the pins did not match; this says what has changed. */
  #onRefused(event: VerdictEvent, pinset: CompiledPinset, host: string, known: LearnedHost): void {
    const chain = this.#chainOf(event, host);
    if (chain === null || known.promoted!.keys.includes(chain.leaf.spki)) return;
    this.#book.refuse(known, chain.leaf, event.time / 1000);
    this.#file.touch();
    const old = known.promoted!.keys.map((spki) => `spki-sha256:${spki}`).join(' ');
    const since = known.promoted!.at.slice(0, 10);
    const detail = `${pinset.name}: ${host} showed spki-sha256:${chain.leaf.spki} (${chain.leaf.subject ?? 'unreadable'}) instead of ${old}, which it is held to since ${since}; if the change is genuine, add the new key to the pinset's "pins"`;
    this.#note(event, 'learn.changed', detail);
  }

  #chainOf(event: VerdictEvent, host: string): LearnedChain | null {
    const name = host.replace(/:\d+$/, '').replace(/^\[|\]$/g, '');
    return readChain(event.tls!.certificates, name, event.time / 1000, this.#roots);
  }

  /** `once`: what is not said twice. */
  #note(event: VerdictEvent, code: string, detail: string, once?: string): void {
    if (once !== undefined && this.#said.has(once)) return;
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
const LEARNED_REASONS: ReadonlySet<Reason> = new Set(['learning', 'pin-match', 'backup-pin-match', 'pin-mismatch']);
/** Names are the client's: what is no host name is not written down. */
const RECORDABLE = /^(?:[a-z0-9_.-]{1,253}|\[[0-9a-f:.]+\]):\d+$/;
