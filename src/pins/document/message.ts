/** What is said about a configuration file, and where: `file:line:column: text`. Knows no file format. */
import { printable } from '../../bytes/invisible.ts';

export type Severity = 'error' | 'warning' | 'note';

export interface Message {
  readonly severity: Severity;
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
  /** One sentence, with the cure where one is known. */
  readonly text: string;
}

/** Keys and list positions from the document's root. */
export type Path = readonly (string | number)[];

/** Gathers everything that is wrong: nothing stops at the first. */
export interface Reporter {
  readonly errorCount: number;
  error(path: Path, text: string): void;
  warning(path: Path, text: string): void;
  note(path: Path, text: string): void;
  /** An error in a file that the document refers to; `line` from 1. */
  errorIn(file: string, line: number, text: string): void;
  /** Where something else is, for texts: `line 12`, and of which file where there are several. */
  place(path: Path): string;
}

export function formatMessage(message: Message): string {
  const { file, line, column, severity, text } = message;
  return printable(`${file}:${line}:${column}: ${severity}: ${text}`);
}

/** The closest of some known words; undefined when none is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  let found: string | undefined;
  let least = Math.max(2, Math.floor(word.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (distance < least) {
      least = distance;
      found = candidate;
    }
  }
  return found;
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + cost));
    }
    row = next;
  }
  return row[b.length]!;
}
