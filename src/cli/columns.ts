/**
 * How many columns of a terminal a text takes (Unicode Standard Annex #11), and texts cut to columns. Knows characters
 * and no colours: what is measured has no escape sequences in it.
 */

export function columnsOf(text: string): number {
  if (NARROW.test(text)) return text.length;
  let columns = 0;
  for (const character of text) columns += columnsOfCharacter(character);
  return columns;
}

/** The text as it is, or as much of its beginning as leaves room for an ellipsis. */
export function cut(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  return columns <= 0 ? '' : `${beginning(text, columns - 1)}…`;
}

/** As much of a text as fits. */
export function beginning(text: string, columns: number): string {
  let [kept, left] = ['', columns];
  for (const character of text) {
    left -= columnsOfCharacter(character);
    if (left < 0) break;
    kept += character;
  }
  return kept;
}

function columnsOfCharacter(character: string): number {
  if (NARROW.test(character)) return 1;
  if (NO_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}

/** Most texts, and the fast way through them. */
const NARROW = /^[\x20-\x7e]*$/;
/** What is drawn over the character before it, and what is not drawn. */
const NO_WIDTH = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u;
/** East Asian Wide and Fullwidth (EastAsianWidth.txt), by blocks, and what is an emoji by itself. */
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18aff}\u{1b000}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;
