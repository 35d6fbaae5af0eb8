/**
 * JSON with comments, as configuration files are: two blanks a level, short lists and objects on one line, and what is
 * said about a value on lines of their own above it. Strict JSON once the comments are gone.
 */
import { jsonText, printable } from '../bytes/invisible.ts';

/** A value in a list or object, and what is said about it. */
export class Commented {
  readonly value: unknown;
  readonly above: readonly string[];

  constructor(value: unknown, above: readonly string[]) {
    this.value = value;
    this.above = above;
  }
}

/** Ends without a line feed. Values that are undefined are left out. */
export function commentedJson(value: unknown): string {
  return [...commentLines(commentsOf(value)), format(value, '')].join('\n');
}

/** One `//` line for each line of each text. */
export function commentLines(texts: readonly string[], indent = ''): string[] {
  return texts
    .flatMap((text) => text.split(/\r\n|[\n\r\u2028\u2029]/))
    .map((line) => `${indent}// ${printable(line.replaceAll('\t', ' '))}`.trimEnd());
}

/** `used`: characters of its line that stand before it. */
function format(value: unknown, indent: string, used = indent.length): string {
  const bare = value instanceof Commented ? value.value : value;
  if (typeof bare !== 'object' || bare === null) return jsonText(bare);
  const isList = Array.isArray(bare);
  const entries = isList
    ? bare.map((element): [string, unknown] => ['', element])
    : Object.entries(bare)
        .filter(([, element]) => element !== undefined)
        .map(([key, element]): [string, unknown] => [`${jsonText(key)}: `, element]);
  const [open, close] = isList ? '[]' : '{}';
  if (entries.length === 0) return `${open}${close}`;
  const short = onOneLine(entries, isList);
  if (short !== undefined && used + short.length < WIDTH) return short;
  const inner = `${indent}  `;
  const lines = entries.flatMap(([key, element], index) => {
    const comma = index === entries.length - 1 ? '' : ',';
    return [
      ...commentLines(commentsOf(element), inner),
      `${inner}${key}${format(element, inner, inner.length + key.length)}${comma}`,
    ];
  });
  return [open, ...lines, `${indent}${close}`].join('\n');
}

/** Undefined where something has to be said in between, or lists of objects would become hard to read. */
function onOneLine(entries: readonly (readonly [string, unknown])[], isList: boolean): string | undefined {
  const parts: string[] = [];
  for (const [key, element] of entries) {
    if (element instanceof Commented) return undefined;
    const isNested = typeof element === 'object' && element !== null;
    if (isNested && (isList || !Array.isArray(element))) return undefined;
    const text = format(element, '');
    if (text.includes('\n')) return undefined;
    parts.push(key + text);
  }
  return isList ? `[${parts.join(', ')}]` : `{ ${parts.join(', ')} }`;
}

function commentsOf(value: unknown): readonly string[] {
  return value instanceof Commented ? value.above : [];
}

const WIDTH = 120;
