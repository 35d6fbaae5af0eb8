/**
 * What two sequences that are mostly equal differ in, such as a list before and after a change here or there: what they
 * have in common at their beginning and at their end is passed over, so that the rest may be looked at more closely.
 */

/** As sets: what only the one holds and what only the other holds, in their order. */
export interface SequenceDifference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** `keyOf` tells elements apart; `isSame` does so too where that takes less. */
export function differenceOfSequences<T>(
  before: readonly T[],
  now: readonly T[],
  keyOf: (element: T) => string,
  isSame: (a: T, b: T) => boolean = (a, b) => keyOf(a) === keyOf(b),
): SequenceDifference {
  const shorter = Math.min(before.length, now.length);
  let start = 0;
  while (start < shorter && isSame(before[start]!, now[start]!)) start++;
  let end = 0;
  while (end < shorter - start && isSame(before[before.length - 1 - end]!, now[now.length - 1 - end]!)) end++;
  const added = new Set(now.slice(start, now.length - end).map(keyOf));
  const removed = new Set(before.slice(start, before.length - end).map(keyOf));
  for (const key of added) if (removed.delete(key)) added.delete(key);
  // What occurs more than once may be among what was passed over, too.
  if (added.size > 0) for (const element of before) added.delete(keyOf(element));
  if (removed.size > 0) for (const element of now) removed.delete(keyOf(element));
  return { added: [...added], removed: [...removed] };
}
