/**
 * Asks several parties one thing and gathers what they answer, until all have, or patience ends, or those that have not
 * are gone. Knows neither what is asked nor the wire.
 */
export class Roundup<T> {
  readonly #rounds = new Map<number, Round<T>>();
  readonly #patience: number;

  /** `patience`: milliseconds. */
  constructor(patience: number) {
    this.#patience = patience;
  }

  /** What came, by party; those that are missing have not answered. `id` must not be in use. */
  ask(id: number, parties: readonly number[]): Promise<ReadonlyMap<number, T>> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => this.#end(id), this.#patience);
      this.#rounds.set(id, { missing: new Set(parties), answers: new Map(), resolve, timer });
      if (parties.length === 0) this.#end(id);
    });
  }

  /** Answers to what was not asked, or was given up, are nothing. */
  answer(id: number, party: number, answer: T): void {
    const round = this.#rounds.get(id);
    if (round === undefined || !round.missing.delete(party)) return;
    round.answers.set(party, answer);
    if (round.missing.size === 0) this.#end(id);
  }

  /** It will not answer any more. */
  gone(party: number): void {
    for (const [id, { missing }] of [...this.#rounds]) {
      if (missing.delete(party) && missing.size === 0) this.#end(id);
    }
  }

  #end(id: number): void {
    const { answers, resolve, timer } = this.#rounds.get(id)!;
    this.#rounds.delete(id);
    clearTimeout(timer);
    resolve(answers);
  }
}

interface Round<T> {
  readonly missing: Set<number>;
  readonly answers: Map<number, T>;
  readonly resolve: (answers: ReadonlyMap<number, T>) => void;
  readonly timer: NodeJS.Timeout;
}
