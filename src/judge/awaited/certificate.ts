/** The server has chosen a version whose certificate goes by in clear. */
import type { Bench, State } from './state.ts';

export class AwaitCertificate implements State {
  readonly awaits = 'certificate';
  readonly waiting = false;
  readonly deadline = Infinity;
  readonly #bench: Bench;

  constructor(bench: Bench) {
    this.#bench = bench;
  }

  onDeadline(): void {}

  permits(): boolean {
    return false;
  }

  reenter(): void {
    this.#bench.askServerHello();
  }
}
