/**
 * What servers showed lately, by question. Certificates stand for a while, failures for a shorter one; a failure never
 * takes the place of certificates. Where probes of one question were shown different chains, all of them are told.
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

export class ProbeCache {
  readonly #entries: LRUCache<string, Entry>;

  /** `entries`: questions that are remembered; the one that was not asked longest is forgotten first. */
  constructor(entries: number) {
    this.#entries = new LRUCache({ max: entries });
  }

  find(key: string, nowMs: number, { ttl, negativeTtl }: Lifetimes): ProbeAnswer | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    const shown = entry.shown.filter(({ atMs }) => atMs > nowMs - ttl);
    const [latest, ...others] = shown;
    if (latest !== undefined) {
      const alternatives = others.map(({ finding }): ProbedAlternative => {
        const { chain, isRawPublicKey, proven } = finding;
        return { chain, isRawPublicKey, proven };
      });
      return { ...latest.finding, alternatives, fromCache: true };
    }
    const { failed } = entry;
    const isFresh = failed !== undefined && failed.atMs > nowMs - negativeTtl;
    return isFresh ? { ...failed.finding, fromCache: true } : undefined;
  }

  /** True when it shows another chain than what is still remembered. */
  add(key: string, finding: ProbeFinding, nowMs: number, { ttl }: Lifetimes): boolean {
    const entry = this.#entries.get(key) ?? { shown: [], failed: undefined };
    if (finding.kind === 'failed') {
      this.#entries.set(key, { ...entry, failed: { finding, atMs: nowMs } });
      return false;
    }
    const recent = entry.shown.filter(({ atMs }) => atMs > nowMs - ttl);
    const others = recent.filter((each) => !isSame(each.finding, finding));
    const shown = [{ finding, atMs: nowMs }, ...others].slice(0, MAX_ALTERNATIVES + 1);
    this.#entries.set(key, { shown, failed: undefined });
    return others.length > 0;
  }

  clear(): void {
    this.#entries.clear();
  }
}

type Shown = Extract<ProbeFinding, { kind: 'certificates' }>;
type Failed = Extract<ProbeFinding, { kind: 'failed' }>;

interface Entry {
  /** Latest first, each another chain. */
  readonly shown: readonly { readonly finding: Shown; readonly atMs: number }[];
  readonly failed: { readonly finding: Failed; readonly atMs: number } | undefined;
}

/** What a decision may hang on: the whole chain, and whether its leaf's key was shown. */
function isSame(a: Shown, b: Shown): boolean {
  if (a.proven !== b.proven || a.isRawPublicKey !== b.isRawPublicKey || a.chain.length !== b.chain.length) return false;
  return a.chain.every((der, index) => Buffer.compare(der, b.chain[index]!) === 0);
}

const MAX_ALTERNATIVES = 3;
