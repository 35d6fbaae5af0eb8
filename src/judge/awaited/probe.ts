/**
 * The server is being asked in the client's place: because of TLS 1.3, of a session that nothing is known of, or of early
 * data, for which the ClientHello itself waits. Ends with chains, with nothing, or with its time.
 */
import { Examined } from './examined.ts';
import type { HiddenCertificates } from '../hidden-certificates.ts';
import type { Reason } from '../events.ts';
import type { ProbeAnswer } from '../ports.ts';
import { denies } from '../claim.ts';
import { overdue, shownTo } from './shown.ts';
import type { Bench, HiddenBy, State } from './state.ts';

export class AwaitProbe implements State {
  readonly awaits = 'probe';
  readonly waiting = true;
  readonly by: HiddenBy;
  readonly #bench: Bench;
  readonly #cases: HiddenCertificates;
  readonly #since: number;

  constructor(bench: Bench, by: HiddenBy, cases: HiddenCertificates, since: number) {
    this.#bench = bench;
    this.by = by;
    this.#cases = cases;
    this.#since = since;
  }

  get deadline(): number {
    const { limits } = this.#bench.hearing.context.snapshot.policy;
    return this.#since + limits.holdTime * 1000 + this.#bench.question.patience;
  }

  /** Asks, unless that was done, and goes on where the answer is there. */
  begin(): void {
    const { question } = this.#bench;
    question.ask();
    if (question.answer === undefined) this.#onNothing(undefined, null);
    else if (question.answer !== 'asked') this.onAnswer(question.answer);
  }

  onAnswer(answer: ProbeAnswer): void {
    if (answer.kind === 'failed') {
      return this.#onNothing('probe-failed', ['probe', answer.reason, answer.detail].filter(Boolean).join('.'));
    }
    const { hearing, possession } = this.#bench;
    possession.settle(answer.proven);
    const chains = shownTo(hearing, [answer, ...answer.alternatives], 'probed');
    if (hearing.isRuled) return;
    const { by } = this;
    const cases = this.#cases;
    const isFlightWhole = by !== 'earlyData';
    const { isDisputed = false } = answer;
    this.#bench.examine(new Examined({ chains, evidence: 'probed', by, cases, isFlightWhole, isDisputed }));
  }

  onDeadline(): void {
    overdue(this.#bench.hearing);
  }

  permits(): boolean {
    return false;
  }

  reenter(): void {
    if (this.by === 'earlyData') this.#bench.askHello();
    else this.#bench.awaitEvidence(this.by, this.#since);
  }

  /** `reason`: undefined where nobody could be asked. */
  #onNothing(reason: Reason | undefined, fault: string | null): void {
    const findings = [...this.#cases.failed(reason), ...this.#cases.settled];
    // What the server will choose may show a certificate after all.
    if (this.by === 'earlyData' && !findings.some(denies)) return this.#bench.awaitServerHello();
    this.#bench.hearing.rule(findings, null, 'none', fault);
  }
}
