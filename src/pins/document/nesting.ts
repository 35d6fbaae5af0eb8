/**
 * How deeply JSON from outside may nest. Readers of it, and what works on what they have read, call themselves once a
 * level: a hundred thousand brackets would end the process by its stack. Knows JSON with comments and no document.
 */
import { createScanner } from 'jsonc-parser';

/** The place of the bracket that goes too deep; undefined where none does. */
export function tooDeepAt(text: string): number | undefined {
  const scanner = createScanner(text, true);
  for (let depth = 0; ;) {
    scanner.scan();
    const at = scanner.getTokenOffset();
    if (at >= text.length) return undefined;
    // What a string or a comment holds is no token of its own.
    const first = text[at];
    if (first === '{' || first === '[') depth++;
    else if (first === '}' || first === ']') depth--;
    if (depth > DEEPEST) return at;
  }
}

/** JSON.parse of what may come from anybody. Throws a SyntaxError. */
export function parseJson(text: string): unknown {
  if (tooDeepAt(text) !== undefined) throw new SyntaxError(TOO_DEEP);
  return JSON.parse(text);
}

/** Ours nests nine levels deep. */
export const DEEPEST = 64;
export const TOO_DEEP = `it nests deeper than ${DEEPEST} levels`;
