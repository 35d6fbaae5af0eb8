/**
 * Before the client has spoken nothing is selected, so nothing is asked, and nothing can be asked again. Where its server
 * may have to be asked, what the client says first waits until it is whole, and its acknowledgment with it: a server that
 * has room for few takes a connection once it is acknowledged, and would have none left for the probe. A short while
 * only, since it may be the server that speaks first; longer where clients were heard to, some of which take their time,
 * unless many packets wait already, as those of connections that somebody opened only for that.
 */
import type { JudgeContext } from '../context.ts';
import type { State } from './state.ts';

export class AwaitHello implements State {
  readonly awaits = 'hello';
  #deadline: number;

  constructor(context: JudgeContext) {
    this.#deadline = asksFirst(context) ? context.now() + patienceFor(context) : Infinity;
  }

  get waiting(): boolean {
    return this.#deadline !== Infinity;
  }

  /** Infinity where nothing waits. */
  get deadline(): number {
    return this.#deadline;
  }

  onDeadline(): void {
    this.#deadline = Infinity;
  }

  /** What comes first is not TLS. */
  onPreamble(): void {
    this.#deadline = Infinity;
  }

  permits(): boolean {
    return false;
  }

  reenter(): void {}
}

/** Whether the server may have to be asked in the place of a client that speaks first. */
export function asksFirst(context: JudgeContext): boolean {
  const { live, prober, snapshot, subject, habits } = context;
  if (!live || prober === undefined || !snapshot.mayAskAhead(subject)) return false;
  return !habits.greets(subject.server, context.now());
}

function patienceFor(context: JudgeContext): number {
  const { habits, subject, snapshot, hasRoom } = context;
  if (!hasRoom) return HELLO_WAIT_MICROS;
  const longest = Math.min(SLOW_HELLO_WAIT_MICROS, snapshot.policy.limits.holdTime * 1000);
  return habits.awaitsHello(subject.server, context.now()) ? longest : HELLO_WAIT_MICROS;
}

/** More than most clients take that speak first; what a server's greeting may cost, once a while. */
const HELLO_WAIT_MICROS = 200e3;
/** A program that makes its first connection may load its TLS only then. */
const SLOW_HELLO_WAIT_MICROS = 1e6;
