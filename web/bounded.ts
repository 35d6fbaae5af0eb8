/**
 * What has come and is not painted yet, and how much of it is worth painting: the latest, as many as a list has room for.
 * A list that is held still goes on counting what it misses. Knows no document.
 */
export class Waiting<T> {
  readonly #most: number;
  #items: T[] = [];
  /** Since it was emptied last. */
  count = 0;

  constructor(most: number) {
    this.#most = most;
  }

  push(items: readonly T[]): void {
    this.count += items.length;
    this.#items.push(...items.slice(-this.#most));
    if (this.#items.length > this.#most) this.#items = this.#items.slice(-this.#most);
  }

  /** The oldest first; it is empty then. */
  take(): readonly T[] {
    const items = this.#items;
    this.#items = [];
    this.count = 0;
    return items;
  }
}

/** What was seen longest ago goes, one for each that is too many. */
export function keepLatest(entries: Map<string, { readonly last: string }>, most: number): void {
  while (entries.size > most) {
    const [[oldest]] = [...entries].sort(([, a], [, b]) => (a.last < b.last ? -1 : 1)) as [[string, unknown]];
    entries.delete(oldest);
  }
}
