/**
 * What was decided about a flow and why: findings, one a pinset, and the ruling that the worst of them makes. Modes that
 * only report are applied here and nowhere else. Knows no packets.
 */
import type { CompiledPinset, CompiledVerdict } from '../pins/policy.ts';
import type { Action, Evidence, Mode, PinsetOutcome, Reason } from './events.ts';
import type { MarkChange } from '../packet/source.ts';

/** How one pinset (or the policy, where none was selected) sees a flow. */
export interface Finding {
  readonly pinset: CompiledPinset | null;
  readonly mode: Mode;
  readonly reason: Reason;
  /** What its configuration wants done about it; applied as it is only in `enforce`. */
  readonly verdict: CompiledVerdict;
  /** Canonical spelling of the pin that decided. */
  readonly matched: string | null;
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
  readonly fault: string | null;
}

export const ACCEPT: CompiledVerdict = { action: 'accept', connmark: null };

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
    fault,
  };
}

/** What was only to be reported, and came first, stands for its pinset, unless what came later denies in earnest. */
export function withReported(findings: readonly Finding[], reported: readonly Finding[]): Finding[] {
  const earlier = (later: Finding) => reported.find(({ pinset }) => pinset === later.pinset);
  const rest = reported.filter(({ pinset }) => !findings.some((finding) => finding.pinset === pinset));
  return [...findings.map((finding) => (denies(finding) ? finding : (earlier(finding) ?? finding))), ...rest];
}

/** Accepted, and no pinset had a say. */
export function isOfNoPinset({ action, pinset, would, others }: Ruling): boolean {
  return action === 'accept' && pinset === null && would === null && others.length === 0;
}

/** Whether the finding denies in earnest. */
export function denies(finding: Finding): boolean {
  return effective(finding) !== 'accept';
}

function effective(finding: Finding): Action {
  // A deny pin stays final while a pinset still learns.
  const inEarnest = finding.mode === 'enforce' || (finding.mode === 'learn' && finding.reason === 'deny-pin');
  return inEarnest ? finding.verdict.action : 'accept';
}

/** Among verdicts that accept, one that enforces speaks for the flow before one that only reports. */
function severityOf(finding: Finding): number {
  return SEVERITY.indexOf(effective(finding)) * 2 + (finding.mode === 'enforce' ? 1 : 0);
}

function outcomeOf(finding: Finding): PinsetOutcome {
  return { pinset: finding.pinset!.name, reason: finding.reason, would: finding.verdict.action };
}

const SEVERITY: readonly Action[] = ['accept', 'drop', 'reset', 'tls-alert'];
