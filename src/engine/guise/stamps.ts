/**
 * The timestamps of one connection (RFC 7323), which leave by another clock than the one of the socket that sent them: what
 * is echoed is told in that one's again. Knows no packets.
 */
export class Stamps {
  /** The latest ones, each with the first of the socket's that left as it. */
  readonly #pairs: Pair[] = [];

  /** `said`: by the other clock, now. It never goes back. */
  leaving(own: number, said: number): number {
    const last = this.#pairs.at(-1);
    if (last !== undefined && (last.own === own || ((said - last.said) | 0) <= 0)) return last.said;
    this.#pairs.push({ own, said });
    if (this.#pairs.length > MOST) this.#pairs.shift();
    return said;
  }

  /** Undefined: nothing like it has left. */
  echoed(said: number): number | undefined {
    return this.#pairs.findLast((pair) => ((said - pair.said) | 0) >= 0)?.own;
  }
}

interface Pair {
  readonly own: number;
  readonly said: number;
}

const MOST = 64;
