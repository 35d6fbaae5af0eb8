/**
 * Flows in the order in which they came to a list. A `Set` would keep that order too; but where members come and go all
 * the time it makes itself a new table again and again, each table refers to the next one, and once the first of them
 * has come into V8's old space, scavenges keep all of them, and every flow that was in one. Here a member that was taken
 * out refers to nobody, and nobody to it.
 */

/** What can be in a list: in one at a time. */
export abstract class Aged {
  /** For AgeList alone. */
  list: unknown = undefined;
  older: Aged | undefined = undefined;
  newer: Aged | undefined = undefined;
}

export class AgeList<T extends Aged> {
  #oldest: Aged | undefined;
  #newest: Aged | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  get oldest(): T | undefined {
    return this.#oldest as T | undefined;
  }

  has(member: T): boolean {
    return member.list === this;
  }

  /** As the newest, unless it is here already. It must not be in another list. */
  add(member: T): void {
    if (member.list === this) return;
    this.#size++;
    member.list = this;
    member.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
  }

  /** False if it is not here. */
  delete(member: Aged): boolean {
    if (member.list !== this) return false;
    this.#size--;
    const { older, newer } = member;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    member.list = undefined;
    member.older = undefined;
    member.newer = undefined;
    return true;
  }

  /** The same as going through it, and nothing is made for each member. */
  forEach(look: (member: T) => void): void {
    for (let member = this.#oldest; member !== undefined;) {
      const { newer } = member;
      look(member as T);
      member = newer;
    }
  }

  /** From the oldest on. The member that is being looked at may be taken out meanwhile, and no other. */
  *[Symbol.iterator](): Generator<T, void, undefined> {
    for (let member = this.#oldest; member !== undefined;) {
      const { newer } = member;
      yield member as T;
      member = newer;
    }
  }
}
