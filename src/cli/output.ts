/**
 * How commands show things: colours and aligned columns on a terminal, plain text where the output goes elsewhere, one
 * JSON document where a program asked for it. Knows streams and characters, and nothing that is shown.
 */

import { jsonText, printable } from '../bytes/invisible.ts';
import { columnsOf } from './columns.ts';

/** As much of a stream as is used. */
export interface Sink {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** One stream that people or programs read. */
export class Output {
  readonly #sink: Sink;
  /** Somebody looks at it: columns are aligned and lines may be cut. */
  readonly isTerminal: boolean;
  /** https://no-color.org: whatever NO_COLOR is set to, unless it is empty. */
  readonly isColoured: boolean;

  constructor(sink: Sink, environment: Environment = process.env) {
    this.#sink = sink;
    this.isTerminal = sink.isTTY === true;
    this.isColoured = this.isTerminal && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  }

  write(text: string): void {
    this.#sink.write(text);
  }

  line(text = ''): void {
    this.#sink.write(`${text}\n`);
  }

  json(value: unknown): void {
    this.#sink.write(`${jsonText(value, 2)}\n`);
  }

  paint(style: Style, text: string): string {
    if (!this.isColoured || text === '') return text;
    const [on, off] = STYLES[style];
    return `\x1b[${on}m${text}\x1b[${off}m`;
  }

  /** Aligned under a heading for people; one line a row with tabs between, and no heading, for programs. */
  table(heading: readonly string[], rows: readonly (readonly string[])[]): void {
    if (!this.isTerminal) {
      for (const row of rows) this.line(row.map(printable).join('\t'));
      return;
    }
    const cells = [heading, ...rows].map((row) => row.map(printable));
    const widths = heading.map((_, column) => Math.max(...cells.map((row) => columnsOf(row[column] ?? ''))));
    for (const [index, row] of cells.entries()) {
      const text = row.map((cell, column) => pad(cell, column === row.length - 1 ? 0 : widths[column]!)).join('  ');
      this.line(index === 0 ? this.paint('faint', text) : text);
    }
  }
}

export type Style = 'bold' | 'faint' | 'good' | 'bad' | 'warn' | 'note';

function pad(cell: string, width: number): string {
  return cell + ' '.repeat(Math.max(0, width - columnsOf(cell)));
}

/** SGR parameters: on, off. */
const STYLES: Readonly<Record<Style, readonly [number, number]>> = {
  bold: [1, 22],
  faint: [2, 22],
  good: [32, 39],
  bad: [31, 39],
  warn: [33, 39],
  note: [36, 39],
};
