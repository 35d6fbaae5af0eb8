/**
 * The verdict log's way out: NDJSON into any number of destinations. For each of them records wait in a
 * bounded backlog of its own while its reader is slow; beyond it they are dropped and counted, so that the log never makes
 * packets wait, nor one destination another. Files can be reopened, for those who rotate them, and destinations changed.
 */
import { jsonText } from '../bytes/invisible.ts';
import type { EveRecord } from './eve.ts';
import type { LogDestination } from './log-destination.ts';
import { LogOutput, type LogOutputOptions } from './log-output.ts';

export interface VerdictLogOptions extends Omit<LogOutputOptions, 'destination'> {
  readonly destinations: readonly LogDestination[];
}

/** What became of records, by destination. */
export interface DestinationCounts {
  readonly name: string;
  readonly written: number;
  readonly dropped: number;
}

export class VerdictLog {
  readonly #options: VerdictLogOptions;
  #outputs: readonly LogOutput[];
  /** No more records are for them, and they are closing. */
  readonly #leaving = new Map<LogOutput, Promise<void>>();
  /** What became of the records of those that are closed. */
  readonly #gone = { written: 0, dropped: 0 };

  /** Opens the destinations; throws a sentence that names the one that cannot be. */
  constructor(options: VerdictLogOptions) {
    this.#options = options;
    this.#outputs = this.#open(options.destinations);
  }

  /** Records that a backlog had no room for, or that could not be written. */
  get dropped(): number {
    return this.#all.reduce((sum, { dropped }) => sum + dropped, this.#gone.dropped);
  }

  get written(): number {
    return this.#all.reduce((sum, { written }) => sum + written, this.#gone.written);
  }

  /** Of those that are written to now. */
  get counts(): readonly DestinationCounts[] {
    return this.#outputs.map(({ destination, written, dropped }) => ({ name: destination.name, written, dropped }));
  }

  /** `except`: the name of the one that is not to have it. */
  write(record: EveRecord, except?: string): void {
    this.writeLine(jsonText(record), () => record, except);
  }

  /** A record's JSON; the record is made where a destination asks for it. */
  writeLine(json: string, recordOf: () => EveRecord, except?: string): void {
    const line = `${json}\n`;
    for (const output of this.#outputs) {
      const { destination } = output;
      if (destination.name !== except) output.write(destination.form?.(recordOf(), line) ?? line);
    }
  }

  /**
   * Opens what is new among the destinations; throws as at first, and all stays as it was. Records go to the new ones and
   * to the old ones until it is said which of them are to stay: the others get what they are owed.
   */
  prepare(destinations: readonly LogDestination[]): { commit(): void; cancel(): void } {
    const before = this.#outputs;
    const kept = before.filter(({ destination }) => destinations.some(({ key }) => key === destination.key));
    const isNew = ({ key }: LogDestination) => !kept.some(({ destination }) => destination.key === key);
    const opened = this.#open(destinations.filter(isNew));
    this.#outputs = [...before, ...opened];
    const keep = (outputs: readonly LogOutput[]): void => {
      const gone = this.#outputs.filter((output) => !outputs.includes(output));
      this.#outputs = outputs;
      for (const output of gone) this.#leave(output);
    };
    return { commit: () => keep([...kept, ...opened]), cancel: () => keep(before) };
  }

  /** Opens the same files again; what waits goes to the new ones. Throws as at first. */
  reopen(): void {
    for (const output of this.#outputs) output.reopen();
  }

  /** Resolves when nothing waits, or nothing more of it goes out. */
  async drain(): Promise<void> {
    await Promise.all(this.#outputs.map((output) => output.drain()));
  }

  /** Writes what waits, and closes. */
  async close(): Promise<void> {
    await Promise.all([...this.#outputs.map((output) => output.close()), ...this.#leaving.values()]);
  }

  get #all(): readonly LogOutput[] {
    return [...this.#outputs, ...this.#leaving.keys()];
  }

  #open(destinations: readonly LogDestination[]): LogOutput[] {
    const opened: LogOutput[] = [];
    try {
      for (const destination of destinations) opened.push(new LogOutput({ ...this.#options, destination }));
    } catch (error) {
      for (const output of opened) this.#leave(output);
      throw error;
    }
    return opened;
  }

  #leave(output: LogOutput): void {
    const left = output.close().then(() => {
      this.#leaving.delete(output);
      this.#gone.written += output.written;
      this.#gone.dropped += output.dropped;
    });
    this.#leaving.set(output, left);
  }
}
