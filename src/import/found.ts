/**
 * What is read of other programs' pins, before it becomes a configuration: pinsets, lists and rules in the words of the
 * configuration itself, and a note on everything that could not be taken over. Knows no foreign format.
 */

/** A file to be read, as it was named. */
export interface ImportFile {
  readonly name: string;
  readonly text: string;
}

export interface ImportedPin {
  /** In any spelling that configurations take. */
  readonly pin: string;
  readonly at?: 'leaf' | 'ca' | 'path' | undefined;
  readonly role?: 'backup' | undefined;
  readonly comment?: string | undefined;
}

export interface ImportedPinset {
  readonly name: string;
  /** Empty: the source does not say, and whoever imports it has to. */
  readonly hosts: readonly string[];
  readonly ports?: readonly number[];
  readonly pins: readonly ImportedPin[];
  readonly deny?: readonly ImportedPin[];
  readonly mode?: 'report-only' | undefined;
  readonly expires?: string | undefined;
  /** Where it comes from, then what there is to know about it. */
  readonly comments: readonly string[];
}

export interface ImportedList {
  readonly id: string;
  /** As `lists` has it. */
  readonly source: {
    readonly entries?: readonly string[];
    readonly file?: string;
    readonly format?: string;
    readonly maxAge?: string;
    readonly writable?: boolean;
  };
  readonly comments: readonly string[];
}

export interface ImportedRule {
  /** As `rules` has it. */
  readonly source: Readonly<Record<string, unknown>>;
  readonly comments: readonly string[];
}

/** Something that is not taken over, or not as it was. */
export interface ImportNote {
  readonly file: string;
  /** From 1; 0: the file as a whole. */
  readonly line: number;
  readonly text: string;
}

export interface Imported {
  readonly pinsets: readonly ImportedPinset[];
  readonly lists: readonly ImportedList[];
  readonly rules: readonly ImportedRule[];
  readonly notes: readonly ImportNote[];
}

/** Gathers what one reader finds. */
export class Findings implements Imported {
  readonly pinsets: ImportedPinset[] = [];
  readonly lists: ImportedList[] = [];
  readonly rules: ImportedRule[] = [];
  readonly notes: ImportNote[] = [];

  note(file: ImportFile, line: number, text: string): void {
    this.notes.push({ file: file.name, line, text });
  }

  add(other: Imported): void {
    this.pinsets.push(...other.pinsets);
    this.lists.push(...other.lists);
    this.rules.push(...other.rules);
    this.notes.push(...other.notes);
  }
}

/** `pins.xml:12`. */
export function placeOf(file: ImportFile, line: number): string {
  return `${file.name}:${line}`;
}

/** The line on which an offset is, from 1. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
}
