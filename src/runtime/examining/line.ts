/**
 * Whose turn it is: one question after the other, first those whose client and server have cost least of late. So
 * whoever asks what is expensive, or sends it, waits for everybody else, however many questions there are. Where there is
 * no room whoever waits with most loses one. Knows no chains, no threads and no clocks.
 */
export interface Turn {
  /** Who may be behind it: a client, a server. */
  readonly behind: readonly string[];
}

export class Line<Question extends Turn> {
  readonly #room: number;
  readonly #waiting = new Set<Question>();
  readonly #spent = new Map<string, { cost: number; at: number }>();

  constructor(room: number) {
    this.#room = room;
  }

  get length(): number {
    return this.#waiting.size;
  }

  /** The question that loses its place for it, which may be itself. */
  add(question: Question): Question | undefined {
    this.#waiting.add(question);
    if (this.#waiting.size <= this.#room) return undefined;
    const counts = new Map<string, number>();
    for (const { behind } of this.#waiting) for (const who of behind) counts.set(who, (counts.get(who) ?? 0) + 1);
    const most = (each: Question) => Math.max(...each.behind.map((who) => counts.get(who)!));
    let loser = question;
    for (const each of this.#waiting) if (most(each) >= most(loser)) loser = each;
    this.#waiting.delete(loser);
    return loser;
  }

  /** False where it does not wait. */
  leave(question: Question): boolean {
    return this.#waiting.delete(question);
  }

  next(nowMs: number): Question | undefined {
    let [first, least] = [undefined as Question | undefined, Infinity];
    for (const question of this.#waiting) {
      const spent = Math.max(...question.behind.map((who) => this.#costOf(who, nowMs)));
      if (spent < least) [first, least] = [question, spent];
    }
    if (first !== undefined) this.#waiting.delete(first);
    return first;
  }

  /** What was next has cost so much. */
  charge({ behind }: Turn, cost: number, nowMs: number): void {
    for (const who of behind) {
      const total = this.#costOf(who, nowMs) + cost;
      // Whoever was quiet longest comes first, and is forgotten first.
      this.#spent.delete(who);
      this.#spent.set(who, { cost: total, at: nowMs });
    }
    for (const who of this.#spent.keys()) {
      if (this.#spent.size <= REMEMBERED) return;
      this.#spent.delete(who);
    }
  }

  /** Halves with time. */
  #costOf(who: string, nowMs: number): number {
    const spent = this.#spent.get(who);
    return spent === undefined ? 0 : spent.cost * 2 ** ((spent.at - nowMs) / HALF_LIFE_MS);
  }
}

const HALF_LIFE_MS = 10_000;
const REMEMBERED = 4096;
