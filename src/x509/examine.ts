/**
 * Everything that pins above the leaf and the checks need to know of a chain, in one synchronous answer without any
 * I/O. It verifies signatures, so it runs off the packet threads, and within a budget. What the facts mean for a flow is
 * for the engine.
 */
import { Budget, type Operation } from './path/budget.ts';
import { factsOf, isValidAt } from './facts.ts';
import type { CertificateFacts } from './facts.ts';
import { carriesName } from './name-check.ts';
import { issuersOf } from './path/issuers.ts';

export interface ExamineRequest {
  /** DER in wire order, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Whole certificates given by pins, which may close a path whose root is not sent. */
  readonly anchors: readonly Uint8Array[];
  /** The effective name and the pinset's: one of them is enough. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** Trusted certificates; empty: trust is not asked for. */
  readonly trust: readonly Uint8Array[];
}

export interface ChainFacts {
  /** Positions in `chain` on a verified path from the leaf, the leaf included, in ascending order. */
  readonly onPath: readonly number[];
  /** Positions in `anchors`, likewise. */
  readonly anchorsOnPath: readonly number[];
  readonly nameMatches: boolean;
  /** The dates of the leaf hold; those of everything on the path do in any case. */
  readonly leafValidAt: boolean;
  /** A verified path leads to a trusted certificate. */
  readonly trusted: boolean;
  /** There was more to examine than the budget allows: what is true holds, and what is not may have been missed. */
  readonly exhausted: Operation | 'turns' | false;
}

/** Facts, and from when until when they are the same. */
export interface DatedFacts {
  readonly facts: ChainFacts;
  /** Milliseconds since the epoch. */
  readonly from: number;
  /** The first at which a date ends or begins. */
  readonly until: number;
}

export function examineDated(request: ExamineRequest, budget = new Budget()): DatedFacts {
  const facts = examineChain(request, budget);
  let [from, until] = [-Infinity, Infinity];
  for (const der of [...request.chain, ...request.anchors, ...request.trust]) {
    const { notBefore, notAfter } = factsOf(der) ?? NO_DATES;
    for (const change of [notBefore, notAfter + 1]) {
      if (change <= request.atMs) from = Math.max(from, change);
      else if (change > request.atMs) until = Math.min(until, change);
    }
  }
  return { facts, from, until };
}

export function examineChain(request: ExamineRequest, budget = new Budget()): ChainFacts {
  const chain = request.chain.slice(0, MAX_CHAIN).map(factsOf);
  const anchors = request.anchors.slice(0, MAX_ANCHORS).map(factsOf);
  const leaf = chain[0];
  if (leaf === undefined || leaf === null) return { ...NOTHING_FOUND, onPath: chain.length > 0 ? [0] : [] };
  const trust = request.trust.map(factsOf).filter((facts) => facts !== null);
  const others = [...chain.slice(1), ...anchors, ...trust].filter((facts) => facts !== null);
  const issuers = leaf.mayServe ? issuersOf(leaf, others, request.atMs, budget) : new Set<CertificateFacts>();
  const verified = new Set([...issuers].map((facts) => facts.sha256));
  const comparisons = request.names.length * (leaf.names.dns.length + leaf.names.ip.length);
  const isVerified = (facts: CertificateFacts | null) => facts !== null && verified.has(facts.sha256);
  return {
    onPath: chain.flatMap((facts, index) => (index === 0 || isVerified(facts) ? [index] : [])),
    anchorsOnPath: anchors.flatMap((facts, index) => (isVerified(facts) ? [index] : [])),
    nameMatches: budget.spend('comparisons', comparisons) && carriesName(leaf.names, request.names),
    leafValidAt: isValidAt(leaf, request.atMs),
    trusted: trust.some((facts) => facts.sha256 === leaf.sha256 || verified.has(facts.sha256)),
    exhausted: budget.exhausted,
  };
}

export const NOTHING_FOUND: ChainFacts = {
  onPath: [],
  anchorsOnPath: [],
  nameMatches: false,
  leafValidAt: false,
  trusted: false,
  exhausted: false,
};
const NO_DATES = { notBefore: NaN, notAfter: NaN };
/** As many as the limit `certificates` lets through. */
const MAX_CHAIN = 16;
const MAX_ANCHORS = 32;
