/** The client has said whom it wants; what the server will choose may show a certificate in clear, or hide it. */
import type { Bench, State } from './state.ts';

export class AwaitServerHello implements State {
  readonly awaits = 'server-hello';
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
    this.#bench.askHello();
  }
}
