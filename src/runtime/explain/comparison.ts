/**
 * Each pin of a pinset beside the certificates that were presented: which of them it is a pin of, whether that counts
 * where it stands, and why not. Knows no flow.
 */
import { isUsable } from '../../pins/match/usable.ts';
import { matchPins } from '../../pins/match/match.ts';
import type { CompiledPin, CompiledPinset } from '../../pins/policy.ts';
import { type ChainFacts, examineChain } from '../../x509/examine.ts';
import { sha512Hex } from '../../x509/fingerprint.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';

export interface ComparedPin {
  /** In its canonical spelling. */
  readonly pin: string;
  readonly at: string;
  readonly role: string;
  /** Positions in the chain of the certificates that it is a pin of, the leaf being 0. */
  readonly equals: readonly number[];
  /** Whether one of them counts, or the pinned certificate itself ends the path. */
  readonly counts: boolean;
  /** Why not, where it is equal or could not be used at all; null otherwise. */
  readonly but: string | null;
}

/** `closing`: pins whose certificates were not presented and end the verified path. */
function comparePins(
  pins: readonly CompiledPin[],
  chain: readonly PresentedCertificate[],
  facts: ChainFacts,
  closing: readonly CompiledPin[],
  nowMs: number,
): ComparedPin[] {
  return pins.map((pin) => {
    const { canonical, at, role } = pin;
    const equals = chain.flatMap((certificate, index) => (isPinOf(pin, certificate) ? [index] : []));
    const told = (counts: boolean, but: string | null) => ({ pin: canonical, at, role, equals, counts, but });
    if (!isUsable(pin, nowMs)) return told(false, whyUnusable(pin, nowMs));
    const objections = equals.map((index) => objectionTo(pin, index, facts));
    const counts = closing.includes(pin) || objections.includes(null);
    return told(counts, counts ? null : (objections[0] ?? null));
  });
}

export interface ComparedChain {
  readonly pins: readonly ComparedPin[];
  readonly facts: ChainFacts;
  /** Whether what fits is above the leaf. */
  readonly isAboveLeaf: boolean;
  /** That the certificate may carry: the effective one and those of the pinset. */
  readonly names: readonly string[];
}

/** Every pin of a pinset beside a chain, which is examined for it. `name`: the effective one; null: there is none. */
export function compareChain(
  pinset: CompiledPinset,
  chain: readonly PresentedCertificate[],
  name: string | null,
  nowMs: number,
): ComparedChain {
  const match = matchPins(pinset, chain, nowMs);
  const names = [...new Set([...(name === null ? [] : [name]), ...pinset.names])];
  const facts = examineChain({
    chain: chain.map(({ der }) => der),
    anchors: match.kind === 'path' ? match.anchors.map(({ der }) => der) : [],
    names,
    atMs: nowMs,
    trust: pinset.situations.checks.trust,
  });
  const closing = match.kind === 'path' ? facts.anchorsOnPath.map((index) => match.anchors[index]!.pin) : [];
  return {
    pins: comparePins(pinset.pins, chain, facts, closing, nowMs),
    facts,
    isAboveLeaf: match.kind === 'path',
    names,
  };
}

/** Why a certificate that the pin is of does not satisfy it; null when it does. */
function objectionTo(pin: CompiledPin, index: number, facts: ChainFacts): string | null {
  if (index === 0) return pin.at === 'ca' ? 'it holds above the leaf only' : null;
  if (pin.at === 'leaf') return 'it holds for the leaf only';
  return facts.onPath.includes(index) ? null : 'that certificate is not on the verified path from the leaf';
}

function whyUnusable({ notBefore, expires }: CompiledPin, nowMs: number): string {
  const day = (at: number) => new Date(at).toISOString().slice(0, 10);
  // Stands for pins that are lists without an entry.
  if (notBefore === Infinity) return 'nothing is on the list, so nothing satisfies it';
  if (notBefore !== null && nowMs < notBefore) return `it is used from ${day(notBefore)} on`;
  return `it expired on ${day(expires!)}`;
}

/** Certificates without their octets are of no pin that is a SHA-512. */
export function isPinOf(pin: CompiledPin, certificate: PresentedCertificate): boolean {
  switch (pin.kind) {
    case 'cert-sha1':
      return pin.key === certificate.sha1;
    case 'cert-sha256':
    case 'cert':
      return pin.key === certificate.sha256;
    case 'spki-sha256':
    case 'spki':
      return pin.key === certificate.spkiSha256;
    case 'key':
      return pin.key === certificate.key;
    case 'cert-sha512':
      return pin.key === sha512Hex(certificate.der);
    case 'spki-sha512':
      return certificate.spki !== null && pin.key === sha512Hex(certificate.spki);
    default:
      return pin.kind satisfies never;
  }
}
