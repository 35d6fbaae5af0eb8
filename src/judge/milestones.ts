/**
 * When a handshake came to what: its messages as they were read, the question to its server and the answer, up to the
 * decision. For whoever asks where the time went. Bounded; decides nothing.
 */
import type { Milestone } from './events.ts';

export class Milestones {
  /** Three values each, as in a verdict, but for the time, which is on the flow's clock. */
  readonly #noted: (Milestone | number)[] = [];

  note(milestone: Milestone, now: number, messageType = 0): void {
    if (this.#noted.length < MOST) this.#noted.push(milestone, messageType, now);
  }

  /** Counted from `begin`, or from the first where that was earlier. */
  since(begin: number): readonly (Milestone | number)[] {
    const zero = Math.min(begin, Number(this.#noted[2] ?? begin));
    // What `map` makes crosses threads as if it had holes, octet by octet of each index.
    const since = [...this.#noted];
    for (let i = 2; i < since.length; i += 3) since[i] = Math.max(0, Math.round(Number(since[i]) - zero));
    return since;
  }
}

/** Sixteen: no handshake has more of them ahead of its decision, unless somebody plays with it. */
const MOST = 48;
