/**
 * The verdict log's way out: NDJSON through pino into a file or standard output. Records wait in a bounded backlog while
 * the reader is slow; beyond it they are dropped and counted, so that the log never makes packets wait. The file can be
 * reopened, for those who rotate it.
 */
import { open as openFile, close, write, writeSync } from 'node:fs';
import { promisify } from 'node:util';

import pino from 'pino';
import type { DestinationStream, Logger } from 'pino';

import { visibleJson } from '../bytes/invisible.ts';
import type { EveRecord, EventType } from './eve.ts';

export interface VerdictLogOptions {
  /** A path, or '-' for standard output. */
  readonly destination: string;
  /** Records that may wait. */
  readonly backlog: number;
}

export class VerdictLog {
  readonly #output: BoundedOutput;
  readonly #logger: Logger<EventType, true>;

  /** Opens the destination; rejects with a sentence that names it. */
  static async open(options: VerdictLogOptions): Promise<VerdictLog> {
    return new VerdictLog(new BoundedOutput(options, await openDestination(options.destination)));
  }

  private constructor(output: BoundedOutput) {
    this.#output = output;
    // A record is all that a line holds: no time and no process of the logger's own, and its level is the event's type.
    this.#logger = pino(
      {
        base: null,
        timestamp: false,
        customLevels: EVENT_LEVELS,
        useOnlyCustomLevels: true,
        level: 'stats',
        formatters: { level: (label) => ({ event_type: label }) },
        serializers: { event_type: () => undefined },
      },
      output,
    );
  }

  /** Records that the backlog had no room for, or that could not be written. */
  get dropped(): number {
    return this.#output.dropped;
  }

  get written(): number {
    return this.#output.written;
  }

  write(record: EveRecord): void {
    this.#logger[record.event_type](record);
  }

  /** Opens the same path again; what waits goes to the new file. Standard output stays as it is. */
  reopen(): Promise<void> {
    return this.#output.reopen();
  }

  /** Writes what waits, and closes. */
  close(): Promise<void> {
    return this.#output.close();
  }

  /** For a process that is about to die: writes what waits, now. */
  flushSync(): void {
    this.#output.flushSync();
  }
}

/** Records under way to the file that was open when their writing began. */
interface Batch {
  readonly descriptor: number;
  readonly octets: Buffer;
  readonly records: number;
  /** Octets that are out. */
  at: number;
}

class BoundedOutput implements DestinationStream {
  dropped = 0;
  written = 0;
  readonly #options: VerdictLogOptions;
  #descriptor: number;
  #waiting: string[] = [];
  #batch: Batch | undefined;
  #isToBegin = false;
  /** Told when the batch under way is done. */
  #listeners: (() => void)[] = [];

  constructor(options: VerdictLogOptions, descriptor: number) {
    this.#options = options;
    this.#descriptor = descriptor;
  }

  /** Called by pino with a whole line. */
  write(line: string): void {
    if (this.#waiting.length >= this.#options.backlog) {
      this.dropped++;
      return;
    }
    this.#waiting.push(visibleJson(line));
    if (this.#batch !== undefined || this.#isToBegin) return;
    // Those that come together go together.
    this.#isToBegin = true;
    queueMicrotask(() => {
      this.#isToBegin = false;
      if (this.#batch === undefined) this.#begin();
    });
  }

  async reopen(): Promise<void> {
    if (this.#options.destination === '-') return;
    const old = this.#descriptor;
    this.#descriptor = await openDestination(this.#options.destination);
    if (this.#batch !== undefined) await this.#batchDone();
    await promisify(close)(old);
  }

  async close(): Promise<void> {
    if (this.#batch === undefined) this.#begin();
    while (this.#batch !== undefined) await this.#batchDone();
    if (this.#options.destination !== '-') await promisify(close)(this.#descriptor);
  }

  flushSync(): void {
    const batch = this.#batch;
    this.#batch = undefined;
    const octets = Buffer.from(this.#waiting.splice(0).join(''));
    try {
      if (batch !== undefined) writeAll(batch.descriptor, batch.octets.subarray(batch.at));
      writeAll(this.#descriptor, octets);
    } catch {
      // Nobody is left to be told.
    }
  }

  #batchDone(): Promise<void> {
    return new Promise((resolve) => this.#listeners.push(resolve));
  }

  #begin(): void {
    const lines = this.#waiting.splice(0, LINES_A_WRITE);
    if (lines.length === 0) return;
    const octets = Buffer.from(lines.join(''));
    this.#continue({ descriptor: this.#descriptor, octets, records: lines.length, at: 0 });
  }

  #continue(batch: Batch): void {
    this.#batch = batch;
    write(batch.descriptor, batch.octets, batch.at, (error, count) => {
      if (this.#batch !== batch) return;
      if (error?.code === 'EAGAIN') {
        setTimeout(() => this.#continue(batch), RETRY_MILLIS);
        return;
      }
      if (error === null) {
        batch.at += count;
        if (batch.at < batch.octets.length) return this.#continue(batch);
        this.written += batch.records;
      } else {
        this.dropped += batch.records;
      }
      this.#batch = undefined;
      this.#begin();
      for (const listener of this.#listeners.splice(0)) listener();
    });
  }
}

function writeAll(descriptor: number, octets: Buffer): void {
  for (let at = 0; at < octets.length;) at += writeSync(descriptor, octets, at);
}

async function openDestination(destination: string): Promise<number> {
  if (destination === '-') return STDOUT;
  try {
    return await promisify(openFile)(destination, 'a', 0o640);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`log ${destination}: cannot be opened (${code})`, { cause: error });
  }
}

/** pino's levels are numbers in order of weight. */
const EVENT_LEVELS: Readonly<Record<EventType, number>> = { stats: 10, config: 20, verdict: 30, anomaly: 40 };
const STDOUT = 1;
const LINES_A_WRITE = 256;
/** A pipe whose reader is slow is asked again after this. */
const RETRY_MILLIS = 10;
