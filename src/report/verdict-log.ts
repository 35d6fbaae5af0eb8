/**
 * The verdict log's way out: NDJSON through pino into a file or standard output. Records wait in a bounded backlog while
 * the reader is slow; beyond it they are dropped and counted, so that the log never makes packets wait. The file can be
 * reopened, for those who rotate it.
 */
import pino from 'pino';
import type { Logger } from 'pino';

import { visibleJson } from '../bytes/invisible.ts';
import type { EveRecord, EventType } from './eve.ts';
import { LogOutput, type LogOutputOptions } from './log-output.ts';

export class VerdictLog {
  readonly #output: LogOutput;
  readonly #logger: Logger<EventType, true>;

  /** Opens the destination; throws a sentence that names it. */
  constructor(options: LogOutputOptions) {
    const output = new LogOutput(options);
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
      { write: (line) => output.write(visibleJson(line)) },
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

  /** Opens the same path again; what waits goes to the new file. Standard output stays as it is. Throws as at first. */
  reopen(): void {
    this.#output.reopen();
  }

  /** Resolves when nothing waits, or nothing more of it goes out. */
  drain(): Promise<void> {
    return this.#output.drain();
  }

  /** Writes what waits, and closes. */
  close(): Promise<void> {
    return this.#output.close();
  }
}

/** pino's levels are numbers in order of weight. */
const EVENT_LEVELS: Readonly<Record<EventType, number>> = {
  stats: 10,
  start: 15,
  stop: 16,
  config: 20,
  verdict: 30,
  anomaly: 40,
};
