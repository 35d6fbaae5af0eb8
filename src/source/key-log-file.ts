/**
 * A key log file that clients append to, followed as it grows. Begins where the file ends, since what is there already
 * belongs to handshakes that are over; begins anew where the file is replaced or emptied. Knows files, not secrets.
 */
import { closeSync, fstatSync, type FSWatcher, openSync, readSync, type Stats, statSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

export interface KeyLogFileOptions {
  readonly path: string;
  readonly onBytes: (bytes: Uint8Array) => void;
  /** The file cannot be read any more, or now. */
  readonly onTrouble: (message: string) => void;
}

export class KeyLogFile {
  readonly #path: string;
  readonly #options: KeyLogFileOptions;
  readonly #buffer = Buffer.alloc(CHUNK);
  #watcher: FSWatcher | undefined;
  #poll: NodeJS.Timeout | undefined;
  #fd: number | undefined;
  #at = 0;
  #trouble = '';

  constructor(options: KeyLogFileOptions) {
    this.#options = options;
    this.#path = resolve(options.path);
  }

  /** Throws where there can be no such file; one that is not there yet is waited for. */
  start(): void {
    const directory = dirname(this.#path);
    try {
      this.#watcher = watch(directory, (_, name) => {
        if (name === null || name === basename(this.#path)) this.#follow();
      });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      throw new Error(`key log ${this.#path}: its directory cannot be watched (${code}): make it first`, { cause });
    }
    this.#watcher.on('error', (error) => this.#tell(`key log ${this.#path}: ${error.message}`));
    try {
      this.#at = this.#open()?.size ?? 0;
    } catch (cause) {
      this.stop();
      throw cause;
    }
    // Where no change is told of, as on network file systems, it is looked for.
    this.#poll = setInterval(() => this.#follow(), POLL_MS);
  }

  stop(): void {
    this.#watcher?.close();
    clearInterval(this.#poll);
    this.#close();
  }

  #follow(): void {
    try {
      const now = this.#stats();
      const open = this.#fd === undefined ? undefined : fstatSync(this.#fd);
      // What was written to the old file before it was replaced still counts.
      if (open !== undefined && (now?.ino !== open.ino || now.dev !== open.dev)) {
        this.#read();
        this.#close();
      }
      if (now === undefined) return;
      if (this.#fd === undefined) this.#open();
      else if (open !== undefined && open.size < this.#at) this.#at = 0;
      this.#read();
      this.#trouble = '';
    } catch (error) {
      this.#close();
      const { message } = error as Error;
      this.#tell(message.startsWith('key log') ? message : `key log ${this.#path}: ${message}`);
    }
  }

  /** Undefined where there is no file yet. */
  #open(): Stats | undefined {
    const stats = this.#stats();
    if (stats === undefined) return undefined;
    if (!stats.isFile()) throw new Error(`key log ${this.#path}: not a file: clients need one to append to`);
    try {
      this.#fd = openSync(this.#path, 'r');
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      throw new Error(`key log ${this.#path}: cannot be opened (${code}): let this user read it`, { cause });
    }
    this.#at = 0;
    return stats;
  }

  #stats(): Stats | undefined {
    try {
      return statSync(this.#path, { throwIfNoEntry: false });
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      throw new Error(`key log ${this.#path}: cannot be looked at (${code}): let this user into its folder`, { cause });
    }
  }

  #read(): void {
    for (;;) {
      const length = this.#fd === undefined ? 0 : readSync(this.#fd, this.#buffer, 0, CHUNK, this.#at);
      if (length === 0) return;
      this.#at += length;
      this.#options.onBytes(this.#buffer.subarray(0, length));
    }
  }

  #close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Once for each trouble, not with every look. */
  #tell(message: string): void {
    if (message === this.#trouble) return;
    this.#trouble = message;
    this.#options.onTrouble(message);
  }
}

const CHUNK = 65_536;
const POLL_MS = 1_000;
