/**
 * Where no certificate can decide, a situation of the configuration does. Owns whose situations apply to a flow, and
 * what their values come to; when a situation has arisen is the judge's to say.
 */
import type { CompiledPinset, CompiledVerdict, Decision, Situations } from '../pins/policy.ts';
import type { FlowSubject, PinsetSnapshot, Selection } from '../pins/match/snapshot.ts';
import type { Mode, Reason } from './events.ts';
import { Allowed, type AllowableKey, NotPinned } from './grounds.ts';
import { ACCEPT, denies } from './claim.ts';
import { Finding } from './ruling.ts';

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
  /** One of those that a name which is not known yet could select, for the record. */
  readonly mayBe?: CompiledPinset | undefined;
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
    const mayBe = snapshot.hostPinsetAt(subject);
    const { pinned: situations, onMismatch } = policy;
    holders.push({ pinset: null, mode, situations, onMismatch, isUnpinned: false, mayBe });
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
  return holders.map((holder) => findingOf(holder, holder.situations[key], key, reason));
}

export interface OpenOutcome {
  /** Undefined where some holder leaves the matter open and none denies in earnest. */
  readonly findings: readonly Finding[] | undefined;
  /** Denials of holders that only report. */
  readonly reported: readonly Finding[];
}

export function applyOpenSituation(
  holders: readonly Holder[],
  key: AllowableKey,
  of: (situations: Situations) => OpenDecision,
  reason: Reason,
): OpenOutcome {
  const decisions = holders.map((holder) => ({ holder, decision: of(holder.situations) }));
  const denied = decisions.flatMap(({ holder, decision }) =>
    decision === 'deny' ? [findingOf(holder, 'deny', key, reason)] : [],
  );
  if (denied.some(denies)) return { findings: denied, reported: [] };
  const isAccepted = decisions.every(({ decision }) => decision === 'accept');
  // Which pinset it is shows later, where none denies now.
  const reported = denied.filter(({ pinset }) => holders.some((holder) => holder.pinset === pinset));
  const accepted = decisions.map(({ holder }) => findingOf(holder, 'accept', key, reason));
  return { findings: isAccepted ? accepted : undefined, reported };
}

/** Denies for the holders of which `fails` holds; the others say nothing. Without a pinset nothing is denied. */
export function denyWhere(
  holders: readonly Holder[],
  fails: (situations: Situations) => boolean,
  reason: Reason,
): Finding[] {
  const failing = holders.filter(({ situations }) => fails(situations));
  return failing.map((holder) => findingOf(holder, holder.isUnpinned ? 'accept' : 'deny', null, reason));
}

/** `key`: the situation that has arisen; null where none may accept it. */
function findingOf(
  holder: Holder,
  decision: Decision,
  key: SituationKey | AllowableKey | null,
  reason: Reason,
): Finding {
  const { pinset, mode, situations, onMismatch } = holder;
  if (holder.deniesAll) {
    return Finding.mismatch({ pinset, mode, reason: 'expired-pinset', verdict: onMismatch, matched: null });
  }
  const isUnpinned = NotPinned.byHolder(holder);
  // That a pinned flow shows nothing is no reason to accept it, whatever is configured.
  const isAllowed = key === null || key === 'incomplete' ? null : Allowed.bySituation(situations, key);
  const grounds = isUnpinned ?? isAllowed;
  if (decision === 'accept' && grounds !== null) {
    return Finding.of({ pinset, mode, reason, verdict: ACCEPT, matched: null }, grounds);
  }
  return Finding.mismatch({ pinset: pinset ?? holder.mayBe ?? null, mode, reason, verdict: onMismatch, matched: null });
}
