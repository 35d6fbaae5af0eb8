/**
 * What a log's lines are written to, opened so that neither the opening nor a write ever waits: a pipe or a terminal that
 * takes nothing says EAGAIN instead. Knows files, pipes and terminals; knows no lines but the last one of a file, which a
 * process may have left half written.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync, write } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';

import type { LogChannel, LogDestination, WriteError } from './log-destination.ts';

/** `-` is standard output. */
export function fileDestination(path: string): LogDestination {
  return { name: path, key: path, linesAWrite: LINES_A_WRITE, open: () => openLogFile(path) };
}

class LogFile implements LogChannel {
  readonly isTorn: boolean;
  readonly isUp = true;
  readonly #path: string;
  readonly #descriptor: number;
  #isWriting = false;
  #isClosing = false;

  constructor(path: string, descriptor: number, isTorn = false) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.isTorn = isTorn;
  }

  write(octets: Buffer, at: number, done: (error: WriteError | null, count: number) => void): void {
    this.#isWriting = true;
    write(this.#descriptor, octets, at, (error, count) => {
      this.#isWriting = false;
      if (this.#isClosing) this.#close();
      done(error, count);
    });
  }

  reopen(): LogChannel | undefined {
    if (this.#path === '-') return undefined;
    const file = openLogFile(this.#path);
    if (!this.#isSame(file)) return file;
    file.#close();
    return undefined;
  }

  close(): Promise<void> {
    this.#isClosing = true;
    if (!this.#isWriting) this.#close();
    return Promise.resolve();
  }

  #isSame(other: LogFile): boolean {
    const [a, b] = [fstatSync(this.#descriptor), fstatSync(other.#descriptor)];
    return a.dev === b.dev && a.ino === b.ino;
  }

  #close(): void {
    if (this.#descriptor > STDERR) closeSync(this.#descriptor);
  }
}

/** Throws a sentence that names the destination. */
function openLogFile(destination: string): LogFile {
  if (destination === '-') return new LogFile(destination, standardOutput());
  try {
    const descriptor = openSync(destination, isFifo(destination) ? FIFO : APPENDED, MODE);
    return new LogFile(destination, descriptor, isTorn(destination, descriptor));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`log ${destination}: cannot be opened (${code})${CURES[code]?.(destination) ?? ''}`, {
      cause: error,
    });
  }
}

/**
 * A description of its own, where there can be one: whoever else has the pipe or the terminal is not to have it made
 * non-blocking under them.
 */
function standardOutput(): number {
  const stats = fstatSync(STDOUT);
  // What libuv takes a socket for is non-blocking from then on.
  if (stats.isSocket()) journal ??= new Socket({ fd: STDOUT, readable: false }).unref();
  if (!stats.isFIFO() && !stats.isCharacterDevice()) return STDOUT;
  try {
    return openSync(`/proc/self/fd/${STDOUT}`, constants.O_WRONLY | WITHOUT_WAITING);
  } catch {
    return STDOUT; // somebody else's, or there is no /proc
  }
}

function isFifo(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFIFO() ?? false;
}

function isTorn(path: string, descriptor: number): boolean {
  const stats = fstatSync(descriptor);
  if (!stats.isFile() || stats.size === 0) return false;
  try {
    const reader = openSync(path, constants.O_RDONLY);
    const last = Buffer.alloc(1);
    readSync(reader, last, 0, 1, stats.size - 1);
    closeSync(reader);
    return last[0] !== NEWLINE;
  } catch {
    return false; // it may be written, and not read
  }
}

/** Kept, because whoever collects it would close the descriptor. */
let journal: Socket | undefined;
const LINES_A_WRITE = 256;
const STDOUT = 1;
const STDERR = 2;
const NEWLINE = 0x0a;
const MODE = 0o640;
const CURES: Readonly<Record<string, (destination: string) => string>> = {
  EACCES: () => ': the user that tlspin runs as has to be allowed to write to it, or to make it in its folder',
  ENOENT: (destination) => `: its folder is not there: sudo install -d ${dirname(destination)}`,
  EISDIR: (destination) => `: this is a folder: name a file in it, such as ${join(destination, 'tlspin.json')}`,
};
const WITHOUT_WAITING = constants.O_NONBLOCK | constants.O_NOCTTY;
const APPENDED = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | WITHOUT_WAITING;
/** With a reading end of its own it can be opened and written to before its reader comes, and while that is away. */
const FIFO = constants.O_RDWR | WITHOUT_WAITING;
