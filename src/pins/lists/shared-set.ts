/**
 * A list that several gateways change, some of them out of each other's sight: for each entry whether it is there, since
 * when, and by whose word. What is gone leaves its mark, so that it stays gone where others still have it. The newer
 * word counts; in whichever order words come, however often, all who have heard the same have the same list. Pure:
 * knows no clock and no carrier.
 */

/** Somebody's word on one entry. */
export interface Mark {
  readonly isPresent: boolean;
  /** Milliseconds since the epoch, and later than any word that was known. 0: nobody's, of a list that was there before. */
  readonly at: number;
  /** The gateway whose word it is. */
  readonly by: string;
}

export interface PresenceChange {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Of two words on one entry, whether the first takes the place of the second. There are no two that do not differ so. */
export function isNewer(one: Mark, other: Mark): boolean {
  if (one.at !== other.at) return one.at > other.at;
  if (one.by !== other.by) return one.by > other.by;
  return one.isPresent && !other.isPresent;
}

export class SharedSet {
  readonly #marks = new Map<string, Mark>();

  get marks(): ReadonlyMap<string, Mark> {
    return this.#marks;
  }

  /** Whether it is there. */
  has(entry: string): boolean {
    return this.#marks.get(entry)?.isPresent === true;
  }

  /** Takes in words of others, or older ones of its own: what has come and gone by them. */
  merge(words: Iterable<readonly [entry: string, mark: Mark]>): PresenceChange {
    const added: string[] = [];
    const removed: string[] = [];
    for (const [entry, mark] of words) {
      const known = this.#marks.get(entry);
      if (known !== undefined && !isNewer(mark, known)) continue;
      this.#marks.set(entry, mark);
      if (mark.isPresent === (known?.isPresent ?? false)) continue;
      (mark.isPresent ? added : removed).push(entry);
    }
    return { added, removed };
  }

  /** This gateway's own word, which counts more than every one that it knows. */
  say(entry: string, isPresent: boolean, by: string, now: number): Mark {
    const known = this.#marks.get(entry);
    const mark = { isPresent, at: Math.max(now, (known?.at ?? 0) + 1), by };
    this.#marks.set(entry, mark);
    return mark;
  }
}
