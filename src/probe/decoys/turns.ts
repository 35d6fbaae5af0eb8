/**
 * Turns that are taken one after the other, in an order and at moments that are drawn anew: whoever sees them learns nothing
 * of whose each is. Knows nothing of what is done in them.
 */
import { randomInt } from 'node:crypto';

/** Begins with the first of them now. The function that is returned takes all that are left, at once. */
export function takeTurns(turns: readonly (() => void)[]): () => void {
  const left = shuffled(turns);
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    left.pop()?.();
    if (left.length > 0) timer = setTimeout(next, GAP_MS + randomInt(MOST_MORE_MS));
  };
  next();
  return () => {
    clearTimeout(timer);
    while (left.length > 0) left.pop()!();
  };
}

/** Each order as likely as any other (Fisher and Yates). */
export function shuffled<T>(all: readonly T[]): T[] {
  const drawn = [...all];
  for (let at = drawn.length - 1; at > 0; at--) {
    const other = randomInt(at + 1);
    [drawn[at], drawn[other]] = [drawn[other]!, drawn[at]!];
  }
  return drawn;
}

/** Longer than a word takes to a packet thread, which says when the client has its turn. */
const GAP_MS = 2;
const MOST_MORE_MS = 2;
