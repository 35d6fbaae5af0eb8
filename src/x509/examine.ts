/**
 * Everything that pins above the leaf and the checks need to know of a chain, in one synchronous answer without any
 * I/O. It verifies signatures, so it runs off the packet threads. What the facts mean for a flow is for the engine.
 */
import { factsOf, isValidAt } from './facts.ts';
import type { CertificateFacts } from './facts.ts';
import { carriesName } from './name-check.ts';
import { issuersOf } from './path.ts';

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
  /** There was more to verify than the bound allows: a path may have been missed. */
  readonly exhausted: boolean;
}

export function examineChain(request: ExamineRequest): ChainFacts {
  const chain = request.chain.slice(0, MAX_CHAIN).map(factsOf);
  const anchors = request.anchors.slice(0, MAX_ANCHORS).map(factsOf);
  const leaf = chain[0];
  if (leaf === undefined || leaf === null) return { ...NOTHING, onPath: chain.length > 0 ? [0] : [] };
  const trust = new Set(request.trust.map(factsOf).filter((facts) => facts !== null));
  const others = [...chain.slice(1), ...anchors].filter((facts) => facts !== null);
  // Of a bundle only what some certificate names as its issuer can be on the path.
  const wanted = new Set([leaf, ...others].map((facts) => facts.issuer));
  const trusted = [...trust].filter((facts) => wanted.has(facts.subject));
  const { issuers, exhausted } = leaf.mayServe
    ? issuersOf(leaf, [...others, ...trusted], request.atMs)
    : { issuers: new Set<CertificateFacts>(), exhausted: false };
  const verified = new Set([...issuers].map((facts) => facts.sha256));
  const isVerified = (facts: CertificateFacts | null) => facts !== null && verified.has(facts.sha256);
  return {
    onPath: chain.flatMap((facts, index) => (index === 0 || isVerified(facts) ? [index] : [])),
    anchorsOnPath: anchors.flatMap((facts, index) => (isVerified(facts) ? [index] : [])),
    nameMatches: carriesName(leaf.names, request.names),
    leafValidAt: isValidAt(leaf, request.atMs),
    trusted: [...trust].some((facts) => facts.sha256 === leaf.sha256 || verified.has(facts.sha256)),
    exhausted,
  };
}

const NOTHING: ChainFacts = {
  onPath: [],
  anchorsOnPath: [],
  nameMatches: false,
  leafValidAt: false,
  trusted: false,
  exhausted: false,
};
/** As many as the limit `certificates` lets through. */
const MAX_CHAIN = 16;
const MAX_ANCHORS = 32;
