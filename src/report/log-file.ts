/**
 * What a log's lines are written to, opened so that neither the opening nor a write ever waits: a pipe or a terminal that
 * takes nothing says EAGAIN instead. Knows files, pipes and terminals; knows no lines but the last one of a file, which a
 * process may have left half written.
 */
import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { dirname, join } from 'node:path';

export interface LogFile {
  readonly descriptor: number;
  /** The octets there end in the midst of a line. */
  readonly isTorn: boolean;
}

/** `-` is standard output. Throws a sentence that names the destination. */
export function openLogFile(destination: string): LogFile {
  if (destination === '-') return { descriptor: standardOutput(), isTorn: false };
  try {
    const descriptor = openSync(destination, isFifo(destination) ? FIFO : APPENDED, MODE);
    return { descriptor, isTorn: isTorn(destination, descriptor) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error';
    throw new Error(`log ${destination}: cannot be opened (${code})${CURES[code]?.(destination) ?? ''}`, {
      cause: error,
    });
  }
}

export function isSameFile(one: LogFile, other: LogFile): boolean {
  const [a, b] = [fstatSync(one.descriptor), fstatSync(other.descriptor)];
  return a.dev === b.dev && a.ino === b.ino;
}

export function closeLogFile({ descriptor }: LogFile): void {
  if (descriptor > STDERR) closeSync(descriptor);
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
