/**
 * Who may ask now, of those who want to: so many at once, the others in a line for each client, in turn. Nobody, and no
 * destination, takes more places than are then left for others, so that a client with any number of questions, or a server
 * that never answers, leaves half of them; where the lines are full the longest one loses its last. Knows no sockets and no
 * clocks.
 */

/** One that has a place or waits for one. */
export interface Candidate {
  readonly destination: string;
}

export class Places<Question extends Candidate> {
  readonly #onDropped: (question: Question) => void;
  /** By whose it is there. */
  readonly #underWay = new Map<Question, string>();
  readonly #ofClient = new Tally();
  readonly #ofDestination = new Tally();
  /** The client whose turn is next comes first. */
  readonly #lines = new Map<string, Question[]>();
  /** In how many lines each waits. */
  readonly #waiting = new Map<Question, number>();
  #inLine = 0;

  /** `onDropped`: it waits no longer, for others want to. */
  constructor(onDropped: (question: Question) => void) {
    this.#onDropped = onDropped;
  }

  get taken(): number {
    return this.#underWay.size;
  }

  /** Whoever has a place or waits for one. */
  all(): Question[] {
    return [...this.#underWay.keys(), ...this.#waiting.keys()];
  }

  isWaiting(question: Question): boolean {
    return this.#waiting.has(question);
  }

  /** True where it has a place at once; otherwise it does not wait either. */
  take(question: Question, client: string, atOnce: number): boolean {
    if (!this.#mayTake(question, client, atOnce)) return false;
    this.#underWay.set(question, client);
    this.#ofClient.add(client);
    this.#ofDestination.add(question.destination);
    return true;
  }

  /** In a client's line, and so in one more of them where it waits already; false where that is full. */
  wait(question: Question, client: string, room: number): boolean {
    const line = this.#lines.get(client) ?? [];
    if (line.includes(question)) return true;
    if (this.#inLine >= room && !this.#shorten(line.length)) return false;
    line.push(question);
    this.#lines.set(client, line);
    this.#inLine++;
    this.#waiting.set(question, (this.#waiting.get(question) ?? 0) + 1);
    return true;
  }

  /** The next that has a place now, of those that wait. */
  next(atOnce: number): Question | undefined {
    for (const [client, line] of this.#lines) {
      const question = line.find((each) => this.#mayTake(each, client, atOnce));
      if (question === undefined) continue;
      this.leaveLines(question);
      // The others' turn.
      const left = this.#lines.get(client);
      if (left !== undefined) {
        this.#lines.delete(client);
        this.#lines.set(client, left);
      }
      this.take(question, client, atOnce);
      return question;
    }
    return undefined;
  }

  leave(question: Question): void {
    const client = this.#underWay.get(question);
    if (client === undefined) return;
    this.#underWay.delete(question);
    this.#ofClient.remove(client);
    this.#ofDestination.remove(question.destination);
  }

  leaveLines(question: Question): void {
    if (!this.#waiting.delete(question)) return;
    for (const [client, line] of this.#lines) {
      const at = line.indexOf(question);
      if (at >= 0) this.#removeAt(client, line, at);
    }
  }

  #mayTake({ destination }: Question, client: string, atOnce: number): boolean {
    const free = atOnce - this.#underWay.size;
    return free > 0 && this.#ofClient.of(client) <= free && this.#ofDestination.of(destination) <= free;
  }

  /** False where none is longer than one that has this many would be. */
  #shorten(length: number): boolean {
    let longest: [string, Question[]] | undefined;
    for (const each of this.#lines) if (each[1].length > (longest?.[1].length ?? length + 1)) longest = each;
    if (longest === undefined) return false;
    const [client, line] = longest;
    const last = line.at(-1)!;
    this.#removeAt(client, line, line.length - 1);
    const others = this.#waiting.get(last)! - 1;
    if (others > 0) {
      this.#waiting.set(last, others);
    } else {
      this.#waiting.delete(last);
      this.#onDropped(last);
    }
    return true;
  }

  #removeAt(client: string, line: Question[], at: number): void {
    line.splice(at, 1);
    this.#inLine--;
    if (line.length === 0) this.#lines.delete(client);
  }
}

/** How many each has. */
export class Tally {
  readonly #counts = new Map<string, number>();

  of(key: string): number {
    return this.#counts.get(key) ?? 0;
  }

  add(key: string, count = 1): void {
    this.#counts.set(key, this.of(key) + count);
  }

  remove(key: string, count = 1): void {
    const left = this.of(key) - count;
    if (left > 0) this.#counts.set(key, left);
    else this.#counts.delete(key);
  }
}
