/**
 * What chains come to that are shown again and again, as what a prober remembers is: each answer is one object for as long
 * as it stands. Judgements depend on the configuration, on what was selected of it, on the name and, where pins come into
 * use or go out of it, on the time. Where any of these is another they are made anew, and where somebody outside is to be
 * asked they always are.
 */
import { nextChange } from '../../pins/match/match.ts';
import type { PinsetSnapshot, Selection } from '../../pins/match/snapshot.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import { ChainJudgement } from './chain-judgement.ts';

export type Chains = readonly (readonly PresentedCertificate[])[];

/** By what chains are judged. */
export interface Measure {
  readonly snapshot: PinsetSnapshot;
  readonly selection: Selection;
  readonly serverName: string | null;
}

interface Judged extends Measure {
  readonly judgements: readonly ChainJudgement[];
  /** They stand in [from, until), in milliseconds. */
  readonly from: number;
  readonly until: number;
}

const judged = new WeakMap<Chains, Judged>();

/** `isShownAgain`: the same object may come again. */
export function judgementsOf(
  chains: Chains,
  measure: Measure,
  nowMs: number,
  isShownAgain: boolean,
): readonly ChainJudgement[] {
  const known = isShownAgain ? judged.get(chains) : undefined;
  if (known !== undefined && stands(known, measure, nowMs)) return known.judgements;
  const { snapshot, selection, serverName } = measure;
  const judgements = chains.map((chain) => new ChainJudgement(snapshot, selection, chain, serverName, nowMs));
  if (isShownAgain && judgements.every(({ questions }) => questions.length === 0)) {
    judged.set(chains, { snapshot, selection, serverName, judgements, from: nowMs, until: endOf(selection, nowMs) });
  }
  return judgements;
}

function stands(known: Judged, { snapshot, selection, serverName }: Measure, nowMs: number): boolean {
  if (known.snapshot !== snapshot || known.serverName !== serverName) return false;
  if (nowMs < known.from || nowMs >= known.until) return false;
  const { require, deny, rules } = known.selection;
  return isSame(require, selection.require) && isSame(deny, selection.deny) && isSame(rules, selection.rules);
}

function isSame<T>(some: readonly T[], others: readonly T[]): boolean {
  return some.length === others.length && some.every((each, at) => each === others[at]);
}

function endOf({ require, deny }: Selection, nowMs: number): number {
  let end = Infinity;
  for (const pinsets of [require, deny]) {
    for (const pinset of pinsets) end = Math.min(end, nextChange(pinset, nowMs));
  }
  return end;
}
