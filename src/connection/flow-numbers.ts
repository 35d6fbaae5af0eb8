/**
 * The numbers by which flows are known outside (`flow_id`): unique over all queues of a run, of streams and of datagrams,
 * since each engine takes every n-th from a first one of its own. Safe integers for a million flows a second and centuries.
 */

/** Of the engines of a run each has another `first`, from 1 to `step`. */
export interface FlowNumbering {
  readonly first: number;
  readonly step: number;
}

export class FlowNumbers {
  readonly #step: number;
  #next: number;

  constructor({ first, step }: FlowNumbering = ALONE) {
    this.#next = first;
    this.#step = step;
  }

  /** `frame`: of a capture, the one that begins the flow, which no other flow has. */
  next(frame = 0): number {
    if (frame !== 0) return frame;
    const number = this.#next;
    this.#next += this.#step;
    return number;
  }
}

const ALONE: FlowNumbering = { first: 1, step: 1 };
