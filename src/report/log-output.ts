/**
 * Lines on their way into a log: a bounded backlog while it takes none, whole lines whatever happens to it, and a count
 * of those that were lost. (pino's own destination, sonic-boom 4, waits for the reader of a FIFO as it opens, closes a
 * descriptor twice where one reopening fails and the next does not, bounds octets instead of records, and after an error
 * goes on only with the next record.) Knows no records.
 *
 *   waiting ──some at a time──▶ batch ──▶ channel     EAGAIN: asked again soon; any other error: asked again later
 *      │ full: lost                 ╲── reopened: what is not out, whole lines, goes to the new one
 */
import type { LogChannel, LogDestination, WriteError } from './log-destination.ts';

export interface LogOutputOptions {
  readonly destination: LogDestination;
  /** Lines that may wait. */
  readonly backlog: number;
  /** Told when lines begin to be lost, or cannot be written, and when that is over. */
  readonly onTrouble?: ((trouble: LogTrouble) => void) | undefined;
}

export interface LogTrouble {
  /** The destination's name. */
  readonly name: string;
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
  #channel: LogChannel;
  #isTorn: boolean;
  #waiting: string[] = [];
  #batch: Batch | undefined;
  /** For a batch's octets: they are written where they go out from. */
  #room = Buffer.alloc(0);
  /** Whose write is under way. */
  #writing: LogChannel | undefined;
  #isToBegin = false;
  #retry: NodeJS.Timeout | undefined;
  /** Longer and longer while nothing goes out. */
  #soon = SOONEST_MS;
  #octets = 0;
  #onIdle: (() => void) | undefined;
  /** While lines are lost or cannot be written: how many were lost before. */
  #lostBefore: number | undefined;
  #isCalm = true;
  #isClosed = false;
  #calm: NodeJS.Timeout | undefined;

  /** Throws a sentence that names the destination. */
  constructor(options: LogOutputOptions) {
    this.#options = options;
    this.#channel = options.destination.open((why) => this.#inTrouble(this.#unwritable(why)));
    this.#isTorn = this.#channel.isTorn;
  }

  get destination(): LogDestination {
    return this.#options.destination;
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

  /** Opens the same place again. Throws a sentence, and all stays as it was. */
  reopen(): void {
    const channel = this.#channel.reopen();
    if (channel !== undefined) this.#replace(channel);
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
    } while (this.#isBusy && (this.#octets > before || this.#channel.isStarting === true));
    clearTimeout(this.#retry);
    clearInterval(this.#calm);
    const left = this.#waiting.length + (this.#batch === undefined ? 0 : this.#batch.lines.length - this.#batch.done);
    this.dropped += left;
    if (left > 0) this.#tell(false, `${left} records could not be written before the end`);
    this.#isClosed = true;
    await this.#channel.close();
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

  #replace(channel: LogChannel): void {
    void this.#channel.close();
    this.#channel = channel;
    this.#isTorn = channel.isTorn;
    // What is being written still is taken back once that is done.
    if (this.#writing === undefined) this.#takeBack();
  }

  /** A line that is out in part goes whole to the new file. */
  #takeBack(): void {
    if (this.#batch === undefined) return;
    this.#waiting.unshift(...this.#batch.lines.slice(this.#batch.done));
    this.#batch = undefined;
  }

  #next(): void {
    if (this.#writing !== undefined || this.#isClosed) return;
    clearTimeout(this.#retry);
    this.#retry = undefined;
    this.#batch ??= this.#take();
    if (this.#batch === undefined) return this.#onIdle?.();
    this.#write(this.#batch, this.#channel);
  }

  #take(): Batch | undefined {
    const lines = this.#waiting.splice(0, this.destination.linesAWrite);
    if (lines.length === 0) return undefined;
    // What somebody left half written is to swallow no line.
    const ahead = this.#isTorn ? '\n' : '';
    this.#isTorn = false;
    const room = this.#roomFor(lines.reduce((sum, line) => sum + line.length, ahead.length));
    let end = room.write(ahead);
    const ends = lines.map((line) => (end += room.write(line, end)));
    return { lines, octets: room.subarray(0, end), ends, at: 0, done: 0 };
  }

  /** There is one batch at a time. */
  #roomFor(units: number): Buffer {
    const most = units * MOST_OCTETS_A_UNIT;
    if (this.#room.length < most) this.#room = Buffer.allocUnsafeSlow(most);
    return this.#room;
  }

  #write(batch: Batch, channel: LogChannel): void {
    this.#writing = channel;
    channel.write(batch.octets, batch.at, (error, count) => {
      this.#writing = undefined;
      if (error === null) this.#onWritten(batch, count);
      if (channel !== this.#channel) {
        this.#takeBack();
        return this.#next();
      }
      if (error === null) return this.#next();
      if (error.isFinal === true) return this.#onRefused(batch, error);
      if (error.code !== 'EAGAIN') this.#inTrouble(this.#unwritable(error.code));
      this.#soon = Math.min(this.#soon * 2, SOON_MS);
      this.#retry = setTimeout(() => this.#next(), error.code === 'EAGAIN' ? this.#soon : LATER_MS);
    });
  }

  #unwritable(why = 'unknown error'): string {
    return `cannot be written (${why}): up to ${this.#options.backlog} records wait, further ones are lost`;
  }

  #onRefused(batch: Batch, { code }: WriteError): void {
    this.#inTrouble(`does not take some records (${code}): they are lost`);
    this.dropped += batch.lines.length - batch.done;
    this.#batch = undefined;
    this.#next();
  }

  #onWritten(batch: Batch, count: number): void {
    this.#octets += count;
    this.#soon = SOONEST_MS;
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
    if (!wasCalm || this.#isBusy || !this.#channel.isUp) return;
    clearInterval(this.#calm);
    const lost = this.dropped - this.#lostBefore!;
    this.#lostBefore = undefined;
    this.#tell(true, `is written again: ${lost === 0 ? 'no record was' : `${lost} records were`} lost`);
  }

  #tell(isOver: boolean, what: string): void {
    const { name } = this.destination;
    this.#options.onTrouble?.({ name, isOver, detail: `log ${name}: ${what}` });
  }
}

/** UTF-8 has three octets at the most for a unit of UTF-16. */
const MOST_OCTETS_A_UNIT = 3;
const SOONEST_MS = 0.5;
const SOON_MS = 10;
const LATER_MS = 500;
const CALM_MS = 1_000;
const CLOSING_PATIENCE_MS = 1_000;
