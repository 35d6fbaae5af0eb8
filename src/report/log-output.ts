/**
 * Lines on their way into a log: a bounded backlog while it takes none, whole lines whatever happens to it, and a count
 * of those that were lost. (pino's own destination, sonic-boom 4, waits for the reader of a FIFO as it opens, closes a
 * descriptor twice where one reopening fails and the next does not, bounds octets instead of records, and after an error
 * goes on only with the next record.) Knows no records.
 *
 *   waiting ──some at a time──▶ batch ──▶ file        EAGAIN: asked again soon; any other error: asked again later
 *      │ full: lost                 ╲── reopened: what is not out, whole lines, goes to the new file
 */
import { write } from 'node:fs';

import { closeLogFile, isSameFile, type LogFile, openLogFile } from './log-file.ts';

export interface LogOutputOptions {
  /** A path, or '-' for standard output. */
  readonly destination: string;
  /** Lines that may wait. */
  readonly backlog: number;
  /** Told when lines begin to be lost, or cannot be written, and when that is over. */
  readonly onTrouble?: ((trouble: LogTrouble) => void) | undefined;
}

export interface LogTrouble {
  readonly isOver: boolean;
  readonly detail: string;
}

interface Batch {
  readonly lines: readonly string[];
  /** What goes ahead of them, and they. */
  readonly octets: Buffer;
  /** Where each of them ends. */
  readonly ends: readonly number[];
  /** Octets, and lines, that are out. */
  at: number;
  done: number;
}

export class LogOutput {
  /** Lines that there was no room for, or that could not be written in the end. */
  dropped = 0;
  written = 0;
  readonly #options: LogOutputOptions;
  #file: LogFile;
  #waiting: string[] = [];
  #batch: Batch | undefined;
  /** Whose write is under way. */
  #writing: LogFile | undefined;
  #isToBegin = false;
  #retry: NodeJS.Timeout | undefined;
  #octets = 0;
  #onIdle: (() => void) | undefined;
  /** While lines are lost or cannot be written: how many were lost before. */
  #lostBefore: number | undefined;
  #isCalm = true;
  #calm: NodeJS.Timeout | undefined;

  /** Throws a sentence that names the destination. */
  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.#file = openLogFile(options.destination);
  }

  /** A whole line. */
  write(line: string): void {
    if (this.#waiting.length >= this.#options.backlog) {
      this.#inTrouble('its reader is too slow: records are lost');
      this.dropped++;
      return;
    }
    this.#waiting.push(line);
    if (this.#isToBegin || this.#writing !== undefined || this.#retry !== undefined) return;
    // Those that come together go together.
    this.#isToBegin = true;
    queueMicrotask(() => {
      this.#isToBegin = false;
      this.#next();
    });
  }

  /** Opens the same path again. Throws a sentence, and all stays as it was. */
  reopen(): void {
    if (this.#options.destination === '-') return;
    const file = openLogFile(this.#options.destination);
    if (isSameFile(file, this.#file)) closeLogFile(file);
    else this.#replace(file);
    this.#next();
  }

  /** Resolves when nothing waits, or nothing more of it goes out. */
  drain(): Promise<void> {
    this.#next();
    return this.#idle(CLOSING_PATIENCE_MS);
  }

  /** Writes what waits, for as long as something of it goes out, and closes. */
  async close(): Promise<void> {
    let before: number;
    do {
      before = this.#octets;
      this.#next();
      await this.#idle(CLOSING_PATIENCE_MS);
    } while (this.#isBusy && this.#octets > before);
    clearTimeout(this.#retry);
    clearInterval(this.#calm);
    const left = this.#waiting.length + (this.#batch === undefined ? 0 : this.#batch.lines.length - this.#batch.done);
    this.dropped += left;
    if (left > 0) this.#tell(false, `${left} records could not be written before the end`);
    if (this.#writing === undefined) closeLogFile(this.#file);
  }

  get #isBusy(): boolean {
    return this.#batch !== undefined || this.#waiting.length > 0;
  }

  #idle(patience: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, patience);
      this.#onIdle = () => {
        clearTimeout(timer);
        resolve();
      };
      if (!this.#isBusy) this.#onIdle();
    });
  }

  #replace(file: LogFile): void {
    const old = this.#file;
    this.#file = file;
    // One that is being written to is closed, and what is left taken back, once that is done.
    if (this.#writing?.descriptor === old.descriptor) return;
    closeLogFile(old);
    if (this.#writing === undefined) this.#takeBack();
  }

  /** A line that is out in part goes whole to the new file. */
  #takeBack(): void {
    if (this.#batch === undefined) return;
    this.#waiting.unshift(...this.#batch.lines.slice(this.#batch.done));
    this.#batch = undefined;
  }

  #next(): void {
    if (this.#writing !== undefined) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#batch ??= this.#take();
    if (this.#batch === undefined) return this.#onIdle?.();
    this.#write(this.#batch, this.#file);
  }

  #take(): Batch | undefined {
    const lines = this.#waiting.splice(0, LINES_A_WRITE);
    if (lines.length === 0) return undefined;
    // What somebody left half written is to swallow no line.
    const ahead = this.#file.isTorn ? '\n' : '';
    this.#file = { ...this.#file, isTorn: false };
    let end = ahead.length;
    const ends = lines.map((line) => (end += Buffer.byteLength(line)));
    return { lines, octets: Buffer.from(ahead + lines.join('')), ends, at: 0, done: 0 };
  }

  #write(batch: Batch, file: LogFile): void {
    this.#writing = file;
    write(file.descriptor, batch.octets, batch.at, (error, count) => {
      this.#writing = undefined;
      if (error === null) this.#onWritten(batch, count);
      if (file.descriptor !== this.#file.descriptor) {
        closeLogFile(file);
        this.#takeBack();
        return this.#next();
      }
      if (error === null) return this.#next();
      if (error.code !== 'EAGAIN') {
        const { backlog } = this.#options;
        this.#inTrouble(`cannot be written (${error.code}): up to ${backlog} records wait, further ones are lost`);
      }
      this.#retry = setTimeout(() => this.#next(), error.code === 'EAGAIN' ? SOON_MS : LATER_MS);
    });
  }

  #onWritten(batch: Batch, count: number): void {
    this.#octets += count;
    batch.at += count;
    for (; batch.done < batch.lines.length && batch.ends[batch.done]! <= batch.at; batch.done++) this.written++;
    if (batch.at === batch.octets.length) this.#batch = undefined;
  }

  #inTrouble(what: string): void {
    this.#isCalm = false;
    if (this.#lostBefore !== undefined) return;
    this.#lostBefore = this.dropped;
    this.#tell(false, what);
    this.#calm = setInterval(() => this.#onCalm(), CALM_MS);
    this.#calm.unref();
  }

  /** Over once nothing waits, and that has lasted: a reader that is too slow is so again and again. */
  #onCalm(): void {
    const wasCalm = this.#isCalm;
    this.#isCalm = true;
    if (!wasCalm || this.#isBusy) return;
    clearInterval(this.#calm);
    const lost = this.dropped - this.#lostBefore!;
    this.#lostBefore = undefined;
    this.#tell(true, `is written again: ${lost === 0 ? 'no record was' : `${lost} records were`} lost`);
  }

  #tell(isOver: boolean, what: string): void {
    this.#options.onTrouble?.({ isOver, detail: `log ${this.#options.destination}: ${what}` });
  }
}

const LINES_A_WRITE = 256;
const SOON_MS = 10;
const LATER_MS = 500;
const CALM_MS = 1_000;
const CLOSING_PATIENCE_MS = 1_000;
