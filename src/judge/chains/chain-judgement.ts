/**
 * A presented chain against what was selected for the flow, in the order of decision: deny pins, rules, then each
 * pinset's pins and checks. What needs a verified path, a name or a date becomes a question, one a pinset at the most,
 * whose answer comes from outside. Knows no packets and no handshake.
 */
import { hasPins } from '../../pins/match/learning.ts';
import { matchDeny, matchPins, matchRule, type PinMatch, type RuleMatch } from '../../pins/match/match.ts';
import type { CompiledPin, CompiledPinset } from '../../pins/policy.ts';
import type { PinsetSnapshot, Selection } from '../../pins/match/snapshot.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import type { Mode, Reason } from '../events.ts';
import type { ChainFacts, ExamineRequest } from '../ports.ts';
import type { MarkChange } from '../../packet/source.ts';
import { ACCEPT, type Claim, denies } from '../claim.ts';
import { Finding } from '../ruling.ts';
import { isExpired, modeAt } from '../situation.ts';

export class ChainJudgement {
  /** A deny pin or a rule that ends the matter. */
  readonly final: Finding | undefined;
  /** Bits that accepting rules want written. */
  readonly ruleMark: MarkChange | null;
  /** Those that the chain satisfies, up to the one that ends the matter. */
  readonly matchedRules: readonly RuleMatch[];
  /** What only a verified path, a name or a date can tell; at most one for each pinset. */
  readonly questions: readonly ExamineRequest[];
  /** Denials that were only to be reported. */
  readonly #reported: Claim[] = [];
  readonly #cases: PinsetCase[];

  constructor(
    snapshot: PinsetSnapshot,
    selection: Selection,
    chain: readonly PresentedCertificate[],
    serverName: string | null,
    nowMs: number,
  ) {
    const denial = this.#findDenial(selection, chain, nowMs);
    const rules = denial === undefined ? applyRules(snapshot, selection, chain) : NO_RULE;
    this.final = denial ?? rules.final;
    this.ruleMark = rules.mark;
    this.matchedRules = rules.matched;
    this.#cases = selection.require.map((pinset) => openCase(pinset, chain, serverName, nowMs));
    this.questions = this.#cases.map(({ question }) => question).filter((question) => question !== undefined);
  }

  /** One claim for each pinset, then what only reports. `answers` go with `questions`, one by one. */
  claims(answers: readonly ChainFacts[]): Claim[] {
    const left = [...answers];
    const close = (open: PinsetCase) => claimOf(open, open.question === undefined ? undefined : left.shift());
    return [...this.#cases.map(close), ...this.#reported];
  }

  /** Whether a pinset fails already, whatever the answers are. */
  get failsAnyway(): boolean {
    return this.#cases.some((open) => open.question === undefined && denies(claimOf(open, undefined)));
  }

  #findDenial(selection: Selection, chain: readonly PresentedCertificate[], nowMs: number): Finding | undefined {
    const { deny, require } = selection;
    for (const pinset of deny.length === 0 ? require : [...deny, ...require]) {
      const pin = matchDeny(pinset, chain, nowMs);
      if (pin === undefined) continue;
      const claim: Claim = {
        pinset,
        mode: pinset.mode,
        reason: 'deny-pin',
        verdict: pinset.onDeny,
        matched: pin.canonical,
      };
      if (denies(claim)) return Finding.of(claim, null);
      this.#reported.push(claim);
    }
    return undefined;
  }
}

interface PinsetCase {
  readonly pinset: CompiledPinset;
  readonly mode: Mode;
  readonly match: PinMatch;
  readonly isExpired: boolean;
  readonly question: ExamineRequest | undefined;
}

function openCase(
  pinset: CompiledPinset,
  chain: readonly PresentedCertificate[],
  serverName: string | null,
  nowMs: number,
): PinsetCase {
  const match = matchPins(pinset, chain, nowMs);
  const { checks } = pinset.situations;
  const asksOfLeaf = checks.name === 'on' || checks.validity === 'on' || checks.trust.length > 0;
  const isOpen = match.kind === 'path' || ((match.kind === 'leaf' || learns(pinset)) && asksOfLeaf);
  return {
    pinset,
    mode: modeAt(pinset, nowMs),
    match,
    isExpired: isExpired(pinset, nowMs),
    question: isOpen
      ? {
          chain: chain.map((certificate) => certificate.der),
          anchors: match.kind === 'path' ? match.anchors.map((anchor) => anchor.der) : [],
          names: [...new Set([...(serverName === null ? [] : [serverName]), ...pinset.names])],
          atMs: nowMs,
          trust: checks.trust,
        }
      : undefined,
  };
}

function claimOf(open: PinsetCase, facts: ChainFacts | undefined): Claim {
  const { pinset, mode, isExpired } = open;
  const fail = (reason: Reason, matched: string | null = null): Claim => ({
    pinset,
    mode,
    reason: isExpired ? 'expired-pinset' : reason,
    verdict: pinset.onMismatch,
    matched,
  });
  if (isExpired && pinset.afterExpiry === 'accept') {
    return { pinset, mode, reason: 'expired-pinset', verdict: ACCEPT, matched: null };
  }
  if (isExpired && pinset.afterExpiry === 'deny') return fail('expired-pinset');
  const pin = matchedPin(open, facts);
  if (pin === undefined && !learns(pinset)) return fail(whyNot('pin-mismatch', facts));
  const failed = failedCheck(open, facts);
  if (pin === undefined) {
    const reason = isExpired ? 'expired-pinset' : 'learning';
    return failed === undefined ? { pinset, mode, reason, verdict: pinset.onMatch, matched: null } : fail(failed);
  }
  if (failed !== undefined) return fail(failed, pin.canonical);
  const reason = pin.role === 'backup' ? 'backup-pin-match' : 'pin-match';
  return { pinset, mode, reason, verdict: pinset.onMatch, matched: pin.canonical };
}

/** Without pins there is nothing yet that a server could fail to match. */
function learns(pinset: CompiledPinset): boolean {
  return pinset.mode === 'learn' && !hasPins(pinset);
}

/** A pin above the leaf counts only on the verified path. */
function matchedPin({ match }: PinsetCase, facts: ChainFacts | undefined): CompiledPin | undefined {
  if (match.kind === 'leaf') return match.pin;
  if (match.kind !== 'path' || facts === undefined) return undefined;
  const presented = match.candidates.find((candidate) => facts.onPath.includes(candidate.index));
  if (presented !== undefined) return presented.pin;
  return match.anchors.find((_, index) => facts.anchorsOnPath.includes(index))?.pin;
}

/** `auto`: a pinned leaf speaks for itself (RFC 7671 §5.1); a pinned issuer vouches for many, so the name decides. */
function failedCheck({ pinset, match }: PinsetCase, facts: ChainFacts | undefined): Reason | undefined {
  const { name, validity, trust } = pinset.situations.checks;
  const above = match.kind === 'path';
  const isOn = (check: 'auto' | 'on' | 'off') => check === 'on' || (check === 'auto' && above);
  if (isOn(name) && !facts?.nameMatches) return whyNot('name-mismatch', facts);
  if (isOn(validity) && !facts?.leafValidAt) return whyNot('certificate-expired', facts);
  return trust.length > 0 && !facts?.trusted ? whyNot('untrusted', facts) : undefined;
}

/** What was not found might have been, had there been more to spend. */
function whyNot(reason: Reason, facts: ChainFacts | undefined): Reason {
  return facts === undefined || facts.exhausted === false ? reason : 'unexaminable';
}

function applyRules(snapshot: PinsetSnapshot, selection: Selection, chain: readonly PresentedCertificate[]) {
  let mark: MarkChange | null = null;
  const matched: RuleMatch[] = [];
  for (const each of selection.rules) {
    const match = matchRule(each, chain, snapshot.lists);
    if (match === undefined) continue;
    matched.push(match);
    const { verdict } = each;
    if (verdict.action !== 'accept') {
      const claim: Claim = { pinset: null, mode: 'enforce', reason: 'rule', verdict, matched: null };
      return { final: Finding.of(claim, null), mark, matched };
    }
    mark = mergeMarks(mark, verdict.connmark);
  }
  return { final: undefined, mark, matched };
}

/** The later change wins where both name a bit. */
export function mergeMarks(first: MarkChange | null, second: MarkChange | null): MarkChange | null {
  if (first === null || second === null) return first ?? second;
  const value = ((first.value & ~second.mask) | second.value) >>> 0;
  return { value, mask: (first.mask | second.mask) >>> 0 };
}

const NO_RULE = { final: undefined, mark: null, matched: [] };
