/**
 * The client has said whom it wants; what the server will choose may show a certificate in clear, or hide it. Where the
 * server is asked in the client's place, the hello waits until it has a connection for that.
 */
import type { Bench, State } from './state.ts';

export class AwaitServerHello implements State {
  readonly awaits = 'server-hello';
  readonly #bench: Bench;
  readonly #since: number;
  #isOverdue = false;

  constructor(bench: Bench) {
    this.#bench = bench;
    this.#since = bench.hearing.context.now();
  }

  get waiting(): boolean {
    return this.#bench.question.isPending && !this.#isOverdue;
  }

  get deadline(): number {
    const { limits } = this.#bench.hearing.context.snapshot.policy;
    return this.waiting ? this.#since + limits.holdTime * 1000 + this.#bench.question.patience : Infinity;
  }

  /** What the answer, if there is one yet, is worth is asked when the server has chosen. */
  onDeadline(): void {
    this.#isOverdue = true;
  }

  permits(): boolean {
    return false;
  }

  reenter(): void {
    this.#bench.askHello();
  }
}
