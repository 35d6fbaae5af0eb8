/** What one pinset wants done about a flow, before it is known what that could rest on. Modes that only report count here. */
import type { CompiledPinset, CompiledVerdict } from '../pins/policy.ts';
import type { Action, Mode, Reason } from './events.ts';

/** What one pinset (or the policy, where none was selected) wants done about a flow. */
export interface Claim {
  readonly pinset: CompiledPinset | null;
  readonly mode: Mode;
  readonly reason: Reason;
  /** What its configuration wants done about it; applied as it is only in `enforce`. */
  readonly verdict: CompiledVerdict;
  /** Canonical spelling of the pin that decided. */
  readonly matched: string | null;
}

/** Whether the claim denies in earnest. */
export function denies(finding: Claim): boolean {
  return effective(finding) !== 'accept';
}

export function effective(finding: Claim): Action {
  // A deny pin stays final while a pinset still learns.
  const inEarnest = finding.mode === 'enforce' || (finding.mode === 'learn' && finding.reason === 'deny-pin');
  return inEarnest ? finding.verdict.action : 'accept';
}

export const ACCEPT: CompiledVerdict = { action: 'accept', connmark: null };
