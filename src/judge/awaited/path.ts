/**
 * Chains are there, and what only a verified path, a name or a date can tell is asked about outside: what was sent waits.
 * A proof that comes meanwhile is kept by whoever keeps proofs.
 */
import type { Examination } from '../examination.ts';
import type { Examined } from './examined.ts';
import { overdue } from './shown.ts';
import type { Bench, State } from './state.ts';

export class AwaitPath implements State {
  readonly awaits = 'path';
  readonly waiting = true;
  readonly examined: Examined;
  readonly examination: Examination;
  readonly #bench: Bench;
  readonly #since: number;

  constructor(bench: Bench, examined: Examined, examination: Examination) {
    this.#bench = bench;
    this.examined = examined;
    this.examination = examination;
    this.#since = bench.hearing.context.now();
  }

  get deadline(): number {
    const { limits } = this.#bench.hearing.context.snapshot.policy;
    return this.#since + limits.holdTime * 1000;
  }

  onDeadline(): void {
    overdue(this.#bench.hearing);
  }

  permits(): boolean {
    return false;
  }

  reenter(): void {
    this.#bench.examineAgain(this.examined);
  }
}
