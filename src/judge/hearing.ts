/**
 * One flow's case: which pinsets have a say in it under the configuration in force, what was only to be reported so far,
 * and the ruling, which is made here and made once. Applies situations; when one has arisen is for the states to say.
 */
import type { Situations } from '../pins/policy.ts';
import type { RuleMatch } from '../pins/match/match.ts';
import type { Selection } from '../pins/match/snapshot.ts';
import { mergeMarks } from './chains/chain-judgement.ts';
import type { JudgeContext } from './context.ts';
import type { Evidence, Reason } from './events.ts';
import { FlowFacts } from './facts.ts';
import { type AllowableKey, NotPinned } from './grounds.ts';
import { ACCEPT, type Claim, denies } from './claim.ts';
import { Finding, rule, type Ruling, withReported } from './ruling.ts';
import {
  applyOpenSituation,
  applySituation,
  denyWhere,
  type Holder,
  holdersOf,
  type OpenDecision,
  type SituationKey,
} from './situation.ts';

export class Hearing {
  readonly facts = new FlowFacts();
  readonly context: JudgeContext;
  /** Of the chains that are before the judge. */
  evidence: Evidence = 'none';
  /** The rules that they satisfy. */
  matchedRules: readonly RuleMatch[] = [];
  readonly #onRuled: () => void;
  #selection: Selection | undefined;
  /** Of the selection. */
  #holders: readonly Holder[] | undefined;
  #ruling: Ruling | undefined;
  readonly #reported: Finding[] = [];

  constructor(context: JudgeContext, onRuled: () => void) {
    this.context = context;
    this.#onRuled = onRuled;
  }

  get ruling(): Ruling | undefined {
    return this.#ruling;
  }

  get isRuled(): boolean {
    return this.#ruling !== undefined;
  }

  /** Undefined until the client's name is known. */
  get selection(): Selection | undefined {
    return this.#selection;
  }

  get isOfNoPinset(): boolean {
    const { require, deny, rules } = this.#selection!;
    return require.length + deny.length + rules.length === 0;
  }

  get holders(): readonly Holder[] {
    if (this.#holders !== undefined) return this.#holders;
    const { snapshot, subject } = this.context;
    const holders = holdersOf(snapshot, subject, this.#selection, this.context.dateMs());
    if (this.#selection !== undefined) this.#holders = holders;
    return holders;
  }

  /** Whether a denial that the client should be able to read may still come. */
  get mayDeny(): boolean {
    if (this.#ruling !== undefined || this.#selection === undefined) return false;
    const { require, deny, rules } = this.#selection;
    return (
      require.some(({ mode, deny: denied }) => mode === 'enforce' || (mode === 'learn' && denied.length > 0)) ||
      deny.some((pinset) => pinset.mode !== 'report-only') ||
      rules.some((each) => each.verdict.action !== 'accept')
    );
  }

  /** What a flow comes to that ends before it is decided: of a pinned one nothing more passes. */
  get unfinished(): Ruling {
    const ruling = rule(applySituation(this.holders, 'incomplete', 'incomplete'), 'none');
    return ruling.action === 'accept' ? ruling : { ...ruling, action: 'drop' };
  }

  /** By the name that the client asks for, and another that it asked a proxy for. */
  select(serverName: string | null, fronted: string | null): void {
    const { snapshot, subject } = this.context;
    this.#holders = undefined;
    this.#selection = snapshot.select(subject, serverName, fronted);
  }

  /** Applies a situation that has two outcomes. */
  settle(key: SituationKey, reason: Reason, fault: string | null = null): void {
    this.rule(applySituation(this.holders, key, reason), null, 'none', fault);
  }

  /** Applies a situation that may leave the matter open. */
  settleIfDecided(key: AllowableKey, of: (situations: Situations) => OpenDecision, reason: Reason): void {
    const { findings, reported } = applyOpenSituation(this.holders, key, of, reason);
    this.#report(reported);
    if (findings !== undefined) this.rule(findings);
  }

  settleDenials(fails: (situations: Situations) => boolean, reason: Reason): void {
    const findings = denyWhere(this.holders, fails, reason);
    if (findings.some(denies) || (findings.length > 0 && reason === 'no-certificate')) this.rule(findings);
    else this.#report(findings);
  }

  settleNoCertificate(): void {
    this.settleDenials(() => true, 'no-certificate');
  }

  settleNoName(): void {
    const denier = this.context.snapshot.deniesWithoutName(this.context.subject);
    if (denier === undefined) return;
    const { mode, onMismatch: verdict } = denier;
    this.rule([Finding.mismatch({ pinset: denier, mode, reason: 'no-sni', verdict, matched: null })]);
  }

  settleUnpinned(mark: Ruling['connmark'] = null): void {
    const claim: Claim = { pinset: null, mode: 'enforce', reason: 'unpinned', verdict: ACCEPT, matched: null };
    this.rule([Finding.of(claim, NotPinned.bySelection(this.#selection ?? NOTHING_SELECTED))], mark);
  }

  rule(
    findings: readonly Finding[],
    mark: Ruling['connmark'] = null,
    evidence: Evidence = this.evidence,
    fault: string | null = null,
  ): void {
    if (this.#ruling !== undefined) return;
    const ruling = rule(withReported(findings, this.#reported), evidence, fault);
    this.#ruling = { ...ruling, connmark: mergeMarks(mark, ruling.connmark), rules: this.matchedRules };
    this.#onRuled();
  }

  /** What was decided turns out to rest on what was not so. */
  reopen(): void {
    this.#ruling = undefined;
  }

  /** A pinset that only reports has its say once, at the first that would have denied. */
  #report(findings: readonly Finding[]): void {
    for (const finding of findings) {
      const isKnown = this.#reported.some(({ pinset }) => pinset === finding.pinset);
      if (finding.pinset !== null && !isKnown) this.#reported.push(finding);
    }
  }
}

/** Of a capture that shows no hello. */
const NOTHING_SELECTED: Selection = { require: [], deny: [], rules: [] };
