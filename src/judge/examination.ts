/**
 * Chains that stand for one server, judged together: each is asked about outside (paths, names, dates), and when every
 * answer is there, one claim a pinset comes of it. What the wire or a key log shows is one chain; probes may have been
 * shown several. Knows no handshake.
 */
import type { ChainJudgement } from './chains/chain-judgement.ts';
import type { ChainExaminer, ChainFacts, Questioner } from './ports.ts';
import { type Claim, denies } from './claim.ts';
import type { Finding } from './ruling.ts';

export class Examination {
  readonly #cases: readonly ExaminedChain[];
  readonly #isProbed: boolean;
  readonly #isDisputed: boolean;
  /** There where anything was asked: most chains raise no question. */
  #withdrawal: AbortController | undefined;
  #claims: readonly Claim[] | undefined;

  /** `isProbed`: the chains are what probes were shown, the latest first. `isDisputed`: elsewhere it was another key. */
  constructor(judgements: readonly ChainJudgement[], isProbed: boolean, isDisputed = false) {
    this.#cases = judgements.map((judgement) => ({
      judgement,
      answers: isDecided(judgement) ? [] : judgement.questions.map((): ChainFacts | undefined => undefined),
    }));
    this.#isProbed = isProbed;
    this.#isDisputed = isDisputed;
  }

  /** True while answers are awaited. */
  get waiting(): boolean {
    return this.#cases.some(({ answers }) => answers.some((answer) => answer === undefined));
  }

  /** A deny pin or a rule that ends the matter, whatever is answered. */
  get final(): Finding | undefined {
    return this.#cases.find(({ judgement }) => judgement.final !== undefined)?.judgement.final;
  }

  /** Bits that accepting rules want written. */
  get ruleMark() {
    return this.#cases[0]!.judgement.ruleMark;
  }

  get matchedRules() {
    return this.#cases[0]!.judgement.matchedRules;
  }

  /** What of the budget for examinations there was not enough of, as a fault. */
  get fault(): string | null {
    const short = this.#cases.flatMap(({ answers }) => answers.map((answer) => answer?.exhausted));
    const which = short.find((exhausted) => exhausted !== undefined && exhausted !== false);
    return which === undefined ? null : `x509.budget.${which}`;
  }

  /** Asks everything; `answered` is called with each answer that comes after this has returned. */
  ask(examiner: ChainExaminer, { client, server }: Omit<Questioner, 'signal'>, answered: () => void): void {
    if (!this.waiting) return;
    this.#withdrawal = new AbortController();
    const by = { client, server, signal: this.#withdrawal.signal };
    let inTime = true;
    for (const { judgement, answers } of this.#cases) {
      if (answers.length === 0) continue;
      for (const [index, question] of judgement.questions.entries()) {
        const onFacts = (facts: ChainFacts) => {
          answers[index] = facts;
          if (!inTime) answered();
        };
        examiner.examine(question, onFacts, by);
      }
    }
    inTime = false;
  }

  /** Nobody waits for it any more. */
  withdraw(): void {
    if (this.waiting) this.#withdrawal?.abort();
  }

  /** One claim a pinset, once every answer is there. */
  claims(): readonly Claim[] {
    return (this.#claims ??= this.#join());
  }

  #join(): Claim[] {
    const [latest, ...earlier] = this.#cases.map(({ judgement, answers }) =>
      judgement.claims(answers as ChainFacts[]).map((claim) => (this.#isProbed ? asProbed(claim) : claim)),
    );
    return latest!.map((finding, index) => {
      const isSame = earlier.every((findings) => isAccepting(findings[index]!) === isAccepting(finding));
      const stands = isSame && !(this.#isDisputed && isAccepting(finding));
      if (stands || finding.pinset === null) return finding;
      return { ...finding, reason: 'probe-inconsistent', verdict: finding.pinset.onMismatch, matched: null };
    });
  }
}

interface ExaminedChain {
  readonly judgement: ChainJudgement;
  readonly answers: (ChainFacts | undefined)[];
}

function isDecided(judgement: ChainJudgement): boolean {
  return judgement.final !== undefined || judgement.failsAnyway;
}

function isAccepting(finding: Claim): boolean {
  return !denies({ ...finding, mode: 'enforce' });
}

/** What a match is worth depends on who was shown the certificate, so the reason says it. */
function asProbed(finding: Claim): Claim {
  if (finding.reason === 'pin-match') return { ...finding, reason: 'probe-match' };
  return finding.reason === 'pin-mismatch' ? { ...finding, reason: 'probe-mismatch' } : finding;
}
