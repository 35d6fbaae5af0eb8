/**
 * How long one client's connection takes to answer its server, put together as its packets come and leave: the pace that a
 * probe of it is to have. Times are those at which this host sent on what the client answers, and the client's own words.
 *
 *   server's SYN ──▶ hello leaves      one pace
 *   server's octets leave ──▶ the client's acknowledgment      the other; until then the one of the server's SYN stands for it
 */
import type { Pace } from './paces.ts';

export class Responses {
  #synCame: number | undefined;
  #acknowledged: number | undefined;
  #helloCame: number | undefined;
  #helloLeft: number | undefined;
  #answerLeft: number | undefined;
  /** A probe goes ahead of its hello, which waits for that and not for the client. */
  isAccompanied = false;

  onServersSyn(now: number): void {
    this.#synCame ??= now;
  }

  /** What the client sends ahead of any answer. True for its first word, of which is told when it leaves. */
  onClient(says: boolean, now: number): boolean {
    if (this.#synCame === undefined) return false;
    this.#acknowledged ??= now;
    if (!says || this.#helloCame !== undefined) return false;
    this.#helloCame = now;
    return true;
  }

  onHelloLeft(now: number): void {
    this.#helloLeft = now;
  }

  /** The server's octets come: true for the first of them, of which is told when they leave. */
  onAnswer(): boolean {
    if (this.#helloLeft === undefined || this.#answerLeft !== undefined) return false;
    this.#answerLeft = NaN;
    return true;
  }

  onAnswerLeft(now: number): void {
    this.#answerLeft = now;
  }

  /** The client acknowledges those octets. Undefined where something of it was not seen. */
  onHeard(now: number): Pace | undefined {
    const [from, acknowledged, left] = [this.#synCame, this.#acknowledged, this.#helloLeft];
    if (from === undefined || acknowledged === undefined || left === undefined) return undefined;
    this.#helloLeft = undefined;
    const hello = (this.isAccompanied ? this.#helloCame! : left) - from;
    const answer = now - (this.#answerLeft ?? NaN);
    return { hello, acknowledged: acknowledged - from, answer: Number.isNaN(answer) ? acknowledged - from : answer };
  }
}
