/** How far back somebody wants to look: `2h`, or a time. Knows clocks and no records. */
import { InvalidArgumentError } from 'commander';

import { parseDate, parseDuration } from '../../pins/document/dates.ts';

/** Milliseconds since the epoch. */
export function since(text: string): number {
  const ago = parseDuration(text);
  const at = ago === undefined ? parseDate(text) : Date.now() - ago;
  if (at === undefined)
    throw new InvalidArgumentError('expected 90s, 30m, 2h, 7d, or a time such as 2027-01-31T12:00:00Z.');
  return at;
}

/** To the second, and in which zone: `2027-01-31T12:00:00Z`. */
export function timeText(timestamp: string): string {
  return `${timestamp.slice(0, 19)}Z`;
}
