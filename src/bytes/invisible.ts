/**
 * Characters that nobody can see, or that a terminal takes for a command: controls (C0, DEL, C1), what turns the
 * direction of text, what takes no room, and what has no glyph that all agree on. Peers choose names, and names end in
 * logs and on terminals: there these are spelled out. Knows characters, and nothing of what is written.
 */

/** Unicode's categories Other and Separator but for the blanks, and what a font may ignore (UAX #44). */
export const INVISIBLE = /[\p{C}\p{Zl}\p{Zp}\p{DI}]/gu;

/** For a terminal: spelled `\x9b`. */
export function printable(text: string): string {
  return text.replace(INVISIBLE, (character) => `\\x${character.codePointAt(0)!.toString(16).padStart(2, '0')}`);
}

/** Of several lines. */
export function printableLines(text: string): string {
  return text.split('\n').map(printable).join('\n');
}

/** JSON that says the same, with them escaped. */
export function jsonText(value: unknown, indent?: number): string {
  return visibleJson(JSON.stringify(value, null, indent));
}

/** The same of JSON that is text already. Controls below 0x20 it has escaped itself, or has between its tokens. */
export function visibleJson(json: string): string {
  // Most of the log, and the fast way through it.
  if (/^[\x20-\x7e\n]*$/.test(json)) return json;
  return json.replace(INVISIBLE, (character) => (character < ' ' ? character : escapes(character)));
}

function escapes(character: string): string {
  return character.replace(/[^]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
