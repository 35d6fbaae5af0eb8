/**
 * When netfilter's rules are to be looked at: twice once they may have changed, every two seconds while nobody tells of
 * changes or something is amiss, and now and then for no reason, since not everything is told. Knows no rules.
 */
export interface News {
  /** Since it was last asked; undefined where nobody can know. */
  mayHaveChanged(): boolean | undefined;
}

export class RulesPace {
  readonly #news: News | undefined;
  /** Looks that are to come in any case. */
  #due = LOOKS;
  #began = -Infinity;
  /** Not before. */
  #from = 0;
  #isLooking = false;
  /** Since when there is news that no look has had a chance to find; that one look has, or will have when it ends; and two. */
  #unseen: number | undefined;
  #once: number | undefined;
  #twice: number | undefined;

  /** Without news there is a look every two seconds. */
  constructor(news: News | undefined) {
    this.#news = news;
  }

  /** There may be something to find. */
  again(): void {
    this.#due = LOOKS;
  }

  /** Whether to look now. To be called each `TICK_MS`, of a clock that nobody sets. */
  isTime(now: number): boolean {
    const hasChanged = this.#news?.mayHaveChanged();
    if (hasChanged !== false) this.#due = LOOKS;
    if (hasChanged === true) this.#unseen ??= now;
    if (this.#isLooking || now < this.#from - EARLY_MS) return false;
    return this.#due > 0 || now >= this.#began + LONGEST_MS;
  }

  begin(now: number): void {
    this.#began = now;
    this.#isLooking = true;
    this.#due = Math.max(0, this.#due - 1);
    [this.#twice, this.#once, this.#unseen] = [this.#once, this.#unseen, undefined];
  }

  /** What was found has been told. */
  end(now: number, isAmiss: boolean): void {
    this.#isLooking = false;
    this.#twice = undefined;
    if (isAmiss) this.#due = Math.max(1, this.#due);
    // Tens of thousands of rules leave this thread time for others, but where a change is to be found for certain.
    const isPressing = this.#once !== undefined && this.#unseen === undefined;
    const rested = isPressing ? now : now + (now - this.#began);
    // All that had changed is told: what changes next is new.
    this.#from = this.#due === 0 ? rested : Math.max(this.#began + INTERVAL_MS, rested);
  }

  /** Whether there is news that two looks had no time for. */
  isLate(now: number): boolean {
    const since = this.#twice ?? this.#once ?? this.#unseen;
    return since !== undefined && now - since >= LATE_MS;
  }
}

export const TICK_MS = 500;
/** Rules that are applied anew are gone for a moment. */
export const LOOKS = 2;
/** From one look to the next, as they begin: two of them, and what they take, are not five seconds. */
const INTERVAL_MS = 2_000;
const LONGEST_MS = 30_000;
const LATE_MS = 4_000;
/** A tick that comes just ahead is the one that was waited for. */
const EARLY_MS = 50;
