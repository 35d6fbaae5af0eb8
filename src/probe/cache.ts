/**
 * What servers showed lately, by question. Certificates stand for a while, and longer the more often they were found
 * again; failures stand for a shorter one, only for the very question that failed, and never take the place of
 * certificates. Where probes of one question were shown different chains, all of them are told. Bounded in number and in
 * octets, whatever servers show.
 *
 *   shown ──ttl──▶ asked again: the same ──2 ttl──▶ the same ──4 ttl──▶ the same ──8 ttl──▶ …    another: all anew
 *                                  └── for one ttl more it is told while it is being asked anew
 */
import { LRUCache } from 'lru-cache';

import type { ProbeAnswer, ProbedAlternative, ProbedCertificates, ProbeFailed } from '../judge/ports.ts';

/** What one probe found. */
export type ProbeFinding = Omit<ProbedCertificates, 'alternatives' | 'fromCache'> | Omit<ProbeFailed, 'fromCache'>;

/** How long certificates and failures stand; milliseconds. */
export interface Lifetimes {
  readonly ttl: number;
  readonly negativeTtl: number;
}

/** A question by what makes it another one. */
export interface QuestionKey {
  /** To the octet; made when it is asked for. */
  readonly exact: string;
  /** As far as a server chooses a certificate by it. */
  readonly certificate: string;
}

export interface Known {
  readonly answer: ProbeAnswer;
  /** It is time to ask again, though it still stands. */
  readonly isStale: boolean;
  /** How often it was found again, up to a limit. */
  readonly confirmations: number;
}

/** As another process may know it. */
export interface KeptAnswers {
  readonly shown: readonly (readonly [string, readonly Shown[]])[];
  readonly failed: readonly (readonly [string, Failed])[];
}

export class ProbeCache {
  readonly #shown: LRUCache<string, readonly Shown[]>;
  readonly #failed: LRUCache<string, Failed>;

  /** `entries`: questions that are remembered; the one that was not asked longest is forgotten first. */
  constructor(entries: number) {
    this.#shown = new LRUCache({ max: entries, maxSize: OCTETS, sizeCalculation: octetsOfShown });
    this.#failed = new LRUCache({ max: entries, maxSize: OCTETS, sizeCalculation: octetsOfFailed });
  }

  find(key: QuestionKey, nowMs: number, { ttl, negativeTtl }: Lifetimes): Known | undefined {
    const [latest, ...others] = fresh(this.#shown.get(key.certificate), nowMs, ttl);
    if (latest !== undefined) {
      const alternatives = others.map(({ finding }): ProbedAlternative => {
        const { chain, isRawPublicKey, proven } = finding;
        return { chain, isRawPublicKey, proven };
      });
      const { confirmations } = latest;
      const isStale = latest.atMs <= nowMs - ttl * 2 ** confirmations;
      return { answer: { ...latest.finding, alternatives, fromCache: true }, isStale, confirmations };
    }
    const failed = this.#hasFailed ? this.#failed.get(key.exact) : undefined;
    if (failed === undefined || failed.atMs <= nowMs - negativeTtl) return undefined;
    return { answer: { ...failed.finding, fromCache: true }, isStale: false, confirmations: 0 };
  }

  /** All of it, with ages for times; the one that was not asked longest first. */
  keep(nowMs: number): KeptAnswers {
    const aged = <T extends { readonly atMs: number }>(each: T): T => ({ ...each, atMs: nowMs - each.atMs });
    const shown = this.#shown
      .dump()
      .map(
        ([key, { value }]) =>
          [key, value.map((each) => ({ ...aged(each), confirmedMs: nowMs - each.confirmedMs }))] as const,
      );
    return { shown, failed: this.#failed.dump().map(([key, { value }]) => [key, aged(value)] as const) };
  }

  /** Beside what is known here: of the same chain what was seen later counts, and of another one what was seen here. */
  restore({ shown, failed }: KeptAnswers, nowMs: number): void {
    const dated = <T extends { readonly atMs: number }>(each: T): T => ({ ...each, atMs: nowMs - each.atMs });
    for (const [key, all] of shown) {
      const dates = all.map((each) => ({ ...dated(each), confirmedMs: nowMs - each.confirmedMs }));
      const [own] = this.#shown.get(key) ?? [];
      const [latest] = dates;
      if (latest === undefined) continue;
      if (own === undefined || (own.atMs < latest.atMs && isSame(own.finding, latest.finding)))
        this.#shown.set(key, dates);
    }
    for (const [key, each] of failed) if (!this.#failed.has(key)) this.#failed.set(key, dated(each));
  }

  /** True when it shows another chain than what is still remembered. */
  add(key: QuestionKey, finding: ProbeFinding, nowMs: number, { ttl }: Lifetimes): boolean {
    if (finding.kind === 'failed') {
      this.#failed.set(key.exact, { finding, atMs: nowMs });
      return false;
    }
    if (this.#hasFailed) this.#failed.delete(key.exact);
    const { certificate } = key;
    const before = this.#shown.get(certificate) ?? [];
    const others = fresh(before, nowMs, ttl).filter((each) => !isSame(each.finding, finding));
    const same = before.find((each) => isSame(each.finding, finding));
    const shown = { finding, atMs: nowMs, ...confirmed(others.length === 0 ? same : undefined, nowMs, ttl) };
    // What is contradicted is not confirmed any more.
    const doubted = others.map((each) => ({ ...each, confirmations: 0 }));
    this.#shown.set(certificate, [shown, ...doubted].slice(0, MAX_ALTERNATIVES + 1));
    return others.length > 0;
  }

  /** Otherwise the exact key, which takes its time, need not be made. */
  get #hasFailed(): boolean {
    return this.#failed.size > 0;
  }
}

interface Shown {
  readonly finding: Extract<ProbeFinding, { kind: 'certificates' }>;
  readonly atMs: number;
  readonly confirmations: number;
  /** When the last of them was counted, or it was first shown. */
  readonly confirmedMs: number;
}

interface Failed {
  readonly finding: Extract<ProbeFinding, { kind: 'failed' }>;
  readonly atMs: number;
}

/** The same, so long after they were kept. */
export function olderAnswers({ shown, failed }: KeptAnswers, byMs: number): KeptAnswers {
  return {
    shown: shown.map(([question, all]) => [
      question,
      all.map((each) => ({ ...each, atMs: each.atMs + byMs, confirmedMs: each.confirmedMs + byMs })),
    ]),
    failed: failed.map(([question, each]) => [question, { ...each, atMs: each.atMs + byMs }]),
  };
}

/** One that is found again within the time that it stands for anyway says nothing new; one not asked for long, little. */
function confirmed(same: Shown | undefined, nowMs: number, ttl: number): Pick<Shown, 'confirmations' | 'confirmedMs'> {
  if (same === undefined || same.atMs <= nowMs - ttl * 2 ** (MAX_CONFIRMATIONS + 1)) {
    return { confirmations: 0, confirmedMs: nowMs };
  }
  const { confirmations, confirmedMs } = same;
  if (confirmedMs > nowMs - ttl) return { confirmations, confirmedMs };
  return { confirmations: Math.min(confirmations + 1, MAX_CONFIRMATIONS), confirmedMs: nowMs };
}

/** Latest first, each another chain. */
function fresh(shown: readonly Shown[] | undefined, nowMs: number, ttl: number): Shown[] {
  return (shown ?? []).filter(({ atMs, confirmations }) => {
    const grace = confirmations > 0 ? ttl : 0;
    return atMs > nowMs - ttl * 2 ** confirmations - grace;
  });
}

/** A question is as long as what the client has said to proxies. */
function octetsOfShown(all: readonly Shown[], question: string): number {
  return all.reduce((sum, { finding: { chain } }) => sum + octetsOf(chain), question.length);
}

function octetsOfFailed({ finding: { detail } }: Failed, question: string): number {
  return question.length + detail.length;
}

export function octetsOf(chain: readonly Uint8Array[]): number {
  return chain.reduce((sum, der) => sum + der.length, 0);
}

/** What a decision may hang on: the whole chain, and whether its leaf's key was shown. */
function isSame({ chain, proven, isRawPublicKey }: Shown['finding'], other: Shown['finding']): boolean {
  if (proven !== other.proven || isRawPublicKey !== other.isRawPublicKey) return false;
  return chain.length === other.chain.length && chain.every((der, at) => Buffer.compare(der, other.chain[at]!) === 0);
}

/** Whole chains of as many servers as are remembered have fewer, unless somebody makes them long. */
const OCTETS = 64 * 1024 * 1024;
const MAX_ALTERNATIVES = 3;
/** An answer stands for 2 ** this times its lifetime at the most, and one lifetime more while it is asked anew. */
export const MAX_CONFIRMATIONS = 3;
