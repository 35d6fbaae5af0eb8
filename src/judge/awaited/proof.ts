/**
 * Every answer about the chains is there. A mismatch is decided now; a match that wants a proof waits for the server's
 * signature, and every match for the end of the flight, because a careless client might take a second Certificate behind
 * the first. Nothing from outside is awaited.
 */
import type { Examination } from '../examination.ts';
import type { Examined } from './examined.ts';
import { pinsetsToTell } from '../possession.ts';
import { Allowed, Satisfied } from '../grounds.ts';
import { type Claim, denies } from '../claim.ts';
import { Finding } from '../ruling.ts';
import type { Bench, Permissible, State } from './state.ts';

export class AwaitProof implements State {
  readonly awaits = 'proof';
  readonly waiting = false;
  readonly deadline = Infinity;
  readonly examined: Examined;
  readonly #examination: Examination;
  readonly #bench: Bench;

  constructor(bench: Bench, examined: Examined, examination: Examination) {
    this.#bench = bench;
    this.examined = examined;
    this.#examination = examination;
  }

  /** Something has come that was awaited. */
  conclude(): void {
    const { hearing, possession } = this.#bench;
    if (hearing.isRuled) return;
    const claims = this.#examination.claims();
    const judged = possession.hasFailed ? claims.map((claim) => possession.applyTo(claim)) : claims;
    const settled = this.examined.cases?.settled ?? NOTHING_SETTLED;
    const isDenied = judged.some(denies) || settled.some(denies);
    if (!isDenied && (possession.isAwaited || !this.examined.isFlightWhole)) return;
    if (possession.hasFailed) this.#tellFailedProof(judged);
    const proven = [...judged.map((claim) => this.#findingOf(claim)), ...settled];
    if (proven.length === 0) return hearing.settleUnpinned(this.#examination.ruleMark);
    const isShort = judged.some(({ reason }) => reason === 'unexaminable');
    hearing.rule(proven, this.#examination.ruleMark, hearing.evidence, isShort ? this.#examination.fault : null);
  }

  onDeadline(): void {}

  /** Nothing of it is denied so far. A proof that holds may go as well, though not what ends the flight. */
  permits(point: Permissible): boolean {
    const { evidence } = this.examined;
    if (point === 'certificate') return evidence === 'observed';
    if (point === 'key-exchange') return evidence === 'observed' && !this.#bench.possession.isAwaited;
    return point === 'encrypted-certificate' && evidence === 'decrypted';
  }

  reenter(): void {
    this.#bench.examineAgain(this.examined);
  }

  /** A match rests on the proof; what is no match, on a setting or on nothing. */
  #findingOf(claim: Claim): Finding {
    const { pinset, matched, verdict } = claim;
    if (pinset === null) return Finding.of(claim, null);
    if (matched !== null && verdict === pinset.onMatch) {
      return Finding.of(claim, Satisfied.byChain(this.#bench.possession, pinset, this.examined.evidence));
    }
    if (verdict !== pinset.onMismatch) return Finding.of(claim, Allowed.byExpiry(pinset));
    return Finding.mismatch(claim);
  }

  #tellFailedProof(findings: readonly Claim[]): void {
    const { context } = this.#bench.hearing;
    for (const { name } of pinsetsToTell(findings)) context.anomaly('tls.proof.failed', `pinset ${name}`);
  }
}

const NOTHING_SETTLED: readonly Finding[] = [];
