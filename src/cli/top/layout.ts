/**
 * Lines and tables of a view that is as wide as a terminal: texts with a style each, cut to columns before they are
 * painted, so that no escape sequence is ever cut. Whatever is put into a line is made harmless here. Knows nothing of
 * what is shown.
 */
import { printable } from '../../bytes/invisible.ts';
import { beginning, columnsOf, cut } from '../columns.ts';
import type { Style } from '../output.ts';

export interface Span {
  readonly text: string;
  readonly style: Style | undefined;
}

export type Line = readonly Span[];

export type Paint = (style: Style, text: string) => string;

export interface Column {
  readonly heading: string;
  readonly isNumber?: true;
  /** Where there is no room for all, those with the greatest go first. */
  readonly spare: number;
  /** Columns that it has at the least, so that it does not jump. */
  readonly least?: number;
  /** It takes what the others leave, and is cut; the last one does so anyway. */
  readonly isElastic?: true;
}

export function span(text: string, style?: Style): Span {
  return { text: printable(text), style };
}

export function line(...parts: readonly (string | Span)[]): Line {
  return parts.map((part) => (typeof part === 'string' ? span(part) : part));
}

/** The heading and the rows, aligned, in as many of the columns as there is room for. */
export function tableLines(columns: readonly Column[], rows: readonly Line[], width: number): Line[] {
  const natural = columns.map(({ heading, least = 0 }, i) =>
    Math.max(least, columnsOf(heading), ...rows.map((row) => columnsOf(row[i]!.text))),
  );
  const shown = shownColumns(columns, natural, width);
  const widths = shown.map((i) => natural[i]!);
  const elastic = shown.findIndex((i) => columns[i]!.isElastic);
  const excess = sum(widths) + GAP.length * (shown.length - 1) - width;
  if (elastic >= 0 && excess > 0)
    widths[elastic] = Math.max(leastOf(columns[shown[elastic]!]!), widths[elastic]! - excess);
  const head = columns.map(({ heading }) => span(heading, 'faint'));
  return [head, ...rows].map((row) =>
    shown.flatMap((i, at) => {
      const cell = row[i]!;
      const isLast = at === shown.length - 1;
      const text = padded(cut(cell.text, isLast ? Infinity : widths[at]!), widths[at]!, columns[i]!, isLast);
      return [...(at === 0 ? [] : [{ text: GAP, style: undefined }]), { ...cell, text }];
    }),
  );
}

/** One line of a terminal, painted; what does not fit ends in an ellipsis. */
export function painted(parts: Line, width: number, paint: Paint): string {
  const isCut = sum(parts.map(({ text }) => columnsOf(text))) > width;
  let [painting, left] = ['', isCut ? width - 1 : width];
  for (const { text, style } of parts) {
    const part = isCut ? beginning(text, left) : text;
    painting += style === undefined ? part : paint(style, part);
    left -= columnsOf(part);
    if (part !== text) break;
  }
  return isCut ? `${painting}…` : painting;
}

/** What is left when the most dispensable have gone, until the rest fits. */
function shownColumns(columns: readonly Column[], natural: readonly number[], width: number): number[] {
  let shown = columns.map((_, i) => i);
  const needs = (i: number): number =>
    columns[i]!.isElastic ? Math.min(natural[i]!, leastOf(columns[i]!)) : natural[i]!;
  while (shown.length > 1 && sum(shown.map(needs)) + GAP.length * (shown.length - 1) > width) {
    const goes = shown.reduce((most, i) => (columns[i]!.spare > columns[most]!.spare ? i : most));
    if (columns[goes]!.spare === 0) break;
    shown = shown.filter((i) => i !== goes);
  }
  return shown;
}

function leastOf({ heading, least = 0 }: Column): number {
  return Math.max(least, columnsOf(heading), ELASTIC_LEAST);
}

function padded(text: string, width: number, { isNumber }: Column, isLast: boolean): string {
  const padding = ' '.repeat(Math.max(0, width - columnsOf(text)));
  if (isNumber === true) return padding + text;
  return isLast ? text : text + padding;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

const GAP = '  ';
const ELASTIC_LEAST = 12;
