/**
 * Which answers from memory are checked by a further probe, and when: drawn over all connections that they serve, and a
 * while behind. A man in the middle who lets the first connection through is not to know which of the others is watched.
 */
import { randomBytes } from 'node:crypto';

import { Tally } from './allowance/places.ts';
import type { Asking } from './question.ts';

export interface RechecksOptions {
  /** From 0 to 1; for tests. */
  readonly random?: (() => number) | undefined;
  /** That many wait at the most, and an eighth of them of one client: none keeps the others' from being drawn. */
  readonly waiting: number;
  readonly check: (asking: Asking) => void;
}

export class Rechecks {
  readonly #options: RechecksOptions;
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #waitingOf = new Tally();

  constructor(options: RechecksOptions) {
    this.#options = options;
  }

  /**
   * So many questions like this one were answered from memory; `share` of such answers are to be checked. `asClient`: a
   * probe is to be taken for another connection of its client's.
   */
  draw(asking: Asking, share: number, times: number, asClient: boolean): void {
    const { waiting, check, random = unpredictable } = this.#options;
    const isSpared = (1 - share) ** times;
    const { group } = asking;
    const isFull = this.#timers.size >= waiting || this.#waitingOf.of(group) >= waiting * SHARE;
    if (random() >= 1 - isSpared || isFull) return;
    this.#waitingOf.add(group);
    const again = () => {
      this.#timers.delete(timer);
      this.#waitingOf.remove(group);
      check(asking);
    };
    const delay = random() * MOST_DELAY_MS;
    const timer = setTimeout(again, asClient ? PORTS_ANEW_MS + delay * STRETCHED : delay);
    timer.unref();
    this.#timers.add(timer);
  }

  close(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }
}

function unpredictable(): number {
  return randomBytes(4).readUInt32LE() / 2 ** 32;
}

const SHARE = 1 / 8;
const MOST_DELAY_MS = 2_000;
/**
 * Linux takes ports for a server one after the other, and begins elsewhere every ten seconds
 * (EPHEMERAL_PORT_SHUFFLE_PERIOD, net/core/secure_seq.c): from then on any port is one that it may have.
 */
const PORTS_ANEW_MS = 10_000;
/** So that none is known by when it comes. */
const STRETCHED = 5;
