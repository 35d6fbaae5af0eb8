/**
 * A configuration file as text: JSON with comments and trailing commas, read to a plain value while every value's place
 * is kept. Knows JSON and no configuration.
 */
import { findNodeAtLocation, getNodeValue, parseTree, printParseErrorCode } from 'jsonc-parser';
import type { Node, ParseError } from 'jsonc-parser';
import { TOO_DEEP, tooDeepAt } from './nesting.ts';
import type { Message, Path, Reporter, Severity } from './message.ts';

export class ConfigDocument implements Reporter {
  readonly file: string;
  readonly messages: Message[] = [];
  readonly #text: string;
  readonly #root: Node | undefined;
  readonly #lineStarts: number[];
  #errorCount = 0;

  /** Syntax errors and keys given twice are among `messages` at once. */
  constructor(file: string, text: string) {
    this.file = file;
    // A byte order mark is no part of the document, nor of its columns.
    this.#text = text.replace(/^\uFEFF/, '');
    this.#lineStarts = lineStarts(this.#text);
    const deep = tooDeepAt(this.#text);
    if (deep !== undefined) {
      this.#add('error', deep, TOO_DEEP);
      return;
    }
    const problems: ParseError[] = [];
    this.#root = parseTree(this.#text, problems, { allowTrailingComma: true });
    for (const problem of problems) this.#add('error', problem.offset, syntaxText(problem, this.#text));
    if (this.#root !== undefined) this.#refuseRepeatedKeys(this.#root);
    else if (problems.length === 0) this.#add('error', 0, 'the file is empty: write { "version": 1, "pinsets": [] }');
  }

  /** The document as plain JSON; undefined when there is none. */
  get value(): unknown {
    // Of objects with a prototype: the schema compares what is called `length` before it knows what it is.
    return this.#root === undefined ? undefined : structuredClone(getNodeValue(this.#root));
  }

  get errorCount(): number {
    return this.#errorCount;
  }

  of(severity: Severity): Message[] {
    return this.messages.filter((message) => message.severity === severity);
  }

  error(path: Path, text: string): void {
    this.#add('error', this.#offset(path), text);
  }

  warning(path: Path, text: string): void {
    this.#add('warning', this.#offset(path), text);
  }

  note(path: Path, text: string): void {
    this.#add('note', this.#offset(path), text);
  }

  errorIn(file: string, line: number, text: string): void {
    this.#push({ severity: 'error', file, line, column: 1, text });
  }

  /** At the key itself instead of its value. */
  errorAtKey(path: Path, text: string): void {
    const node = this.#root && findNodeAtLocation(this.#root, [...path]);
    const key = node?.parent?.type === 'property' ? node.parent.children?.[0] : node;
    this.#add('error', key?.offset ?? this.#offset(path), text);
  }

  place(path: Path): string {
    return `line ${this.#position(this.#offset(path)).line}`;
  }

  /** Where a value is, or the nearest thing around it that exists. */
  #offset(path: Path): number {
    if (this.#root === undefined) return 0;
    for (let length = path.length; length > 0; length--) {
      const node = findNodeAtLocation(this.#root, path.slice(0, length));
      if (node !== undefined) return node.offset;
    }
    return this.#root.offset;
  }

  #add(severity: Severity, offset: number, text: string): void {
    this.#push({ severity, file: this.file, ...this.#position(offset), text });
  }

  #push(message: Message): void {
    this.messages.push(message);
    if (message.severity === 'error') this.#errorCount++;
  }

  #position(offset: number): { line: number; column: number } {
    let low = 0;
    let high = this.#lineStarts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#lineStarts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - this.#lineStarts[low]! + 1 };
  }

  /** JSON would silently take the last one. */
  #refuseRepeatedKeys(root: Node): void {
    const waiting = [root];
    for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
      const seen = new Set<string>();
      for (const child of node.children ?? []) {
        waiting.push(child);
        const key = child.type === 'property' ? child.children?.[0] : undefined;
        if (key === undefined) continue;
        const name = String(key.value);
        if (seen.has(name)) this.#add('error', key.offset, `"${name}" is given twice in one object: keep one`);
        seen.add(name);
      }
    }
  }
}

function lineStarts(text: string): number[] {
  const starts = [0];
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1);
  return starts;
}

function syntaxText(problem: ParseError, text: string): string {
  const found = text.slice(problem.offset, problem.offset + Math.min(problem.length, 20));
  switch (printParseErrorCode(problem.error)) {
    case 'CommaExpected':
      return `a comma is missing before ${JSON.stringify(found)}`;
    case 'ColonExpected':
      return 'a colon is missing after the key';
    case 'CloseBraceExpected':
      return 'a closing } is missing';
    case 'CloseBracketExpected':
      return 'a closing ] is missing';
    case 'EndOfFileExpected':
      return `nothing may follow the document, but ${JSON.stringify(found)} does`;
    case 'PropertyNameExpected':
      return 'a key in double quotes is expected here';
    case 'ValueExpected':
      return 'a value is expected here';
    case 'UnexpectedEndOfString':
      return 'a string is not closed: its second " is missing';
    case 'UnexpectedEndOfComment':
      return 'a comment is not closed: its */ is missing';
    default:
      return `this is not JSON: ${JSON.stringify(found)}`;
  }
}
