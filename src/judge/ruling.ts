/**
 * What was decided about a flow and why: findings, one a pinset, and the ruling that the worst of them makes. Modes that
 * only report are applied here and nowhere else. Knows no packets.
 */
import type { RuleMatch } from '../pins/match/match.ts';
import type { CompiledPinset, CompiledVerdict } from '../pins/policy.ts';
import type { Action, Evidence, Mode, PinsetOutcome, Reason } from './events.ts';
import type { MarkChange } from '../packet/source.ts';
import { type Claim, denies, effective } from './claim.ts';
import { Allowed, type Grounds } from './grounds.ts';

/** A claim that may become a ruling: one that accepts in earnest rests on grounds, and there is no other way to make it. */
export class Finding implements Claim {
  readonly pinset: CompiledPinset | null;
  readonly mode: Mode;
  readonly reason: Reason;
  readonly verdict: CompiledVerdict;
  readonly matched: string | null;
  /** Null where it denies, or only reports. */
  readonly grounds: Grounds | null;

  private constructor({ pinset, mode, reason, verdict, matched }: Claim, grounds: Grounds | null) {
    this.pinset = pinset;
    this.mode = mode;
    this.reason = reason;
    this.verdict = verdict;
    this.matched = matched;
    this.grounds = grounds;
  }

  /** What would accept without grounds denies. */
  static of(claim: Claim, grounds: Grounds | null): Finding {
    const { verdict, mode, pinset } = claim;
    if (verdict.action !== 'accept' || mode !== 'enforce') return new Finding(claim, null);
    if (grounds !== null) return new Finding(claim, grounds);
    const refusal = pinset === null || pinset.onMismatch.action === 'accept' ? DROP : pinset.onMismatch;
    return new Finding({ ...claim, verdict: refusal }, null);
  }

  /** It is as the pinset, or the policy, wants no flow to be. */
  static mismatch(claim: Claim): Finding {
    return Finding.of(claim, Allowed.byVerdict(claim.verdict, 'onMismatch'));
  }
}

export interface Ruling {
  readonly action: Action;
  readonly reason: Reason;
  readonly pinset: string | null;
  readonly mode: Mode;
  readonly evidence: Evidence;
  readonly matched: string | null;
  /** Bits that the configuration wants written besides the engine's own. */
  readonly connmark: MarkChange | null;
  readonly would: Action | null;
  readonly others: readonly PinsetOutcome[];
  /** Rules that the certificates satisfy, in order; the last one decided where the reason is `rule`. */
  readonly rules: readonly RuleMatch[];
  readonly fault: string | null;
  /** The setting by which it accepts, where no evidence did. */
  readonly allowedBy: Allowed['setting'] | null;
}

/** The worst effective verdict decides; among equals the first, which is the address pinset's. */
export function rule(findings: readonly Finding[], evidence: Evidence, fault: string | null = null): Ruling {
  let decisive = findings[0]!;
  for (const finding of findings) {
    if (severityOf(finding) > severityOf(decisive)) decisive = finding;
  }
  const enforced = decisive.mode === 'enforce';
  const action = effective(decisive);
  return {
    action,
    reason: decisive.reason,
    pinset: decisive.pinset?.name ?? null,
    mode: decisive.mode,
    evidence,
    matched: decisive.matched,
    connmark: action === decisive.verdict.action ? decisive.verdict.connmark : null,
    would: enforced ? null : decisive.verdict.action,
    others: findings.filter((finding) => finding !== decisive && finding.pinset !== null).map(outcomeOf),
    rules: [],
    fault,
    allowedBy: decisive.grounds instanceof Allowed ? decisive.grounds.setting : null,
  };
}

/** What was only to be reported, and came first, stands for its pinset, unless what came later denies in earnest. */
export function withReported(findings: readonly Finding[], reported: readonly Finding[]): readonly Finding[] {
  if (reported.length === 0) return findings;
  const earlier = (later: Finding) => reported.find(({ pinset }) => pinset === later.pinset);
  const rest = reported.filter(({ pinset }) => !findings.some((finding) => finding.pinset === pinset));
  return [...findings.map((finding) => (denies(finding) ? finding : (earlier(finding) ?? finding))), ...rest];
}

/** Accepted, and neither had a pinset a say, nor has a rule left a mark, by which others may block it. */
export function isOfNoPinset({ action, pinset, would, others, connmark }: Ruling): boolean {
  return action === 'accept' && pinset === null && would === null && others.length === 0 && connmark === null;
}

/** Among verdicts that accept, one that enforces speaks for the flow before one that only reports. */
function severityOf(finding: Finding): number {
  return SEVERITY.indexOf(effective(finding)) * 2 + (finding.mode === 'enforce' ? 1 : 0);
}

function outcomeOf(finding: Finding): PinsetOutcome {
  return { pinset: finding.pinset!.name, reason: finding.reason, would: finding.verdict.action };
}

const DROP: CompiledVerdict = { action: 'drop', connmark: null };
const SEVERITY: readonly Action[] = ['accept', 'drop', 'reset', 'tls-alert'];
