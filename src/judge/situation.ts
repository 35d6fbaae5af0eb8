/**
 * Where no certificate can decide, a situation of the configuration does. Owns whose situations apply to a flow, and
 * what their values come to; when a situation has arisen is the judge's to say.
 */
import type { CompiledPinset, CompiledVerdict, Decision, Situations } from '../pins/policy.ts';
import type { FlowSubject, PinsetSnapshot, Selection } from '../pins/match/snapshot.ts';
import type { Mode, Reason } from './events.ts';
import { ACCEPT, denies, type Finding } from './ruling.ts';

/** Situations whose value is one of two. */
export type SituationKey = 'anonymous' | 'psk' | 'notTls' | 'midstream' | 'parseError' | 'incomplete' | 'overload';

/** What a situation that may leave the matter open comes to. */
export type OpenDecision = Decision | 'hold' | 'outer-name';

/** A pinset, or the policy where none was selected. */
export interface Holder {
  readonly pinset: CompiledPinset | null;
  readonly mode: Mode;
  readonly situations: Situations;
  readonly onMismatch: CompiledVerdict;
  readonly isUnpinned: boolean;
  /** Past its own date it lets nothing pass, whatever its situations say. */
  readonly deniesAll?: boolean;
}

/**
 * The selected pinsets; before the name is known (`selection` is undefined) every one that might be, because only what
 * the client has sent can make a flow unpinned. `nowMs`: pinsets past their own date are what they are to be then.
 */
export function holdersOf(
  snapshot: PinsetSnapshot,
  subject: FlowSubject,
  selection: Selection | undefined,
  nowMs = 0,
): Holder[] {
  const { policy } = snapshot;
  const { require } = selection ?? snapshot.select(subject, null);
  const holders = require.map((pinset): Holder => {
    const after = isExpired(pinset, nowMs) ? pinset.afterExpiry : undefined;
    const onMismatch = after === 'accept' ? ACCEPT : pinset.onMismatch;
    const mode = modeAt(pinset, nowMs);
    const { situations } = pinset;
    return { pinset, mode, situations, onMismatch, isUnpinned: false, deniesAll: after === 'deny' };
  });
  if (selection === undefined && snapshot.couldHostPinsetApply(subject)) {
    const mode = snapshot.couldEnforcedHostPinsetApply(subject) ? 'enforce' : 'report-only';
    holders.push({ pinset: null, mode, situations: policy.pinned, onMismatch: policy.onMismatch, isUnpinned: false });
  }
  if (holders.length > 0) return holders;
  return [
    { pinset: null, mode: 'enforce', situations: policy.unpinned, onMismatch: policy.onMismatch, isUnpinned: true },
  ];
}

export function isExpired({ expires }: CompiledPinset, nowMs: number): boolean {
  return expires !== null && expires <= nowMs;
}

/** What it does at that time. */
export function modeAt(pinset: CompiledPinset, nowMs: number): Mode {
  return isExpired(pinset, nowMs) && pinset.afterExpiry === 'report-only' ? 'report-only' : pinset.mode;
}

export function applySituation(holders: readonly Holder[], key: SituationKey, reason: Reason): Finding[] {
  return holders.map((holder) => findingOf(holder, holder.situations[key], reason));
}

export interface OpenOutcome {
  /** Undefined where some holder leaves the matter open and none denies in earnest. */
  readonly findings: readonly Finding[] | undefined;
  /** Denials of holders that only report. */
  readonly reported: readonly Finding[];
}

export function applyOpenSituation(
  holders: readonly Holder[],
  of: (situations: Situations) => OpenDecision,
  reason: Reason,
): OpenOutcome {
  const decisions = holders.map((holder) => ({ holder, decision: of(holder.situations) }));
  const denied = decisions.flatMap(({ holder, decision }) =>
    decision === 'deny' ? [findingOf(holder, 'deny', reason)] : [],
  );
  if (denied.some(denies)) return { findings: denied, reported: [] };
  const isAccepted = decisions.every(({ decision }) => decision === 'accept');
  const accepted = decisions.map(({ holder }) => findingOf(holder, 'accept', reason));
  return { findings: isAccepted ? accepted : undefined, reported: denied };
}

/** Denies for the holders of which `fails` holds; the others say nothing. Without a pinset nothing is denied. */
export function denyWhere(
  holders: readonly Holder[],
  fails: (situations: Situations) => boolean,
  reason: Reason,
): Finding[] {
  const failing = holders.filter(({ situations }) => fails(situations));
  return failing.map((holder) => findingOf(holder, holder.isUnpinned ? 'accept' : 'deny', reason));
}

function findingOf(holder: Holder, decision: Decision, reason: Reason): Finding {
  if (holder.deniesAll) {
    return {
      pinset: holder.pinset,
      mode: holder.mode,
      reason: 'expired-pinset',
      verdict: holder.onMismatch,
      matched: null,
    };
  }
  const verdict = decision === 'deny' ? holder.onMismatch : ACCEPT;
  return { pinset: holder.pinset, mode: holder.mode, reason, verdict, matched: null };
}
