/**
 * That a file has one writer: who keeps it listens at a socket beside it, for as long as the process lives, however it
 * ends. Connecting tells whether somebody does; what a killed process has left behind refuses.
 */
import { closeSync, openSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { basename, dirname, join } from 'node:path';

import { clearSocketPath, entryAt, hasListener } from '../source/socket-path.ts';

export class StateLock {
  readonly #server: Server;
  readonly #folder: number;

  /** Rejects with a sentence where somebody else keeps the file, or its folder cannot be written to. */
  static async take(file: string): Promise<StateLock> {
    const folder = openFolder(file);
    // sun_path is short, and folders may be deep: the name is looked up from the folder that is open.
    const name = `.${basename(file)}.lock`;
    const path = `/proc/self/fd/${folder}/${name}`;
    const shown = join(dirname(file), name);
    try {
      const isKept = entryAt(path, `lock ${shown}`)?.isSocket() === true && (await hasListener(path));
      if (isKept) throw new Error(`${file} is kept by a tlspin that runs: ask that one, with --control SOCKET`);
      await clearSocketPath(path, 'lock', shown);
      return new StateLock(await listen(path, file), folder);
    } catch (error) {
      closeSync(folder);
      throw error;
    }
  }

  private constructor(server: Server, folder: number) {
    this.#server = server;
    this.#folder = folder;
  }

  async release(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
    // Its socket is gone with it, by the name that leads there from the folder.
    closeSync(this.#folder);
  }
}

/** The lock of a file, there or not, to be taken and let go of any number of times; of no file, nothing. */
export class FileLock {
  readonly #file: string | null;
  #lock: StateLock | undefined;

  constructor(file: string | null) {
    this.#file = file;
  }

  /** Rejects as StateLock.take does. */
  async take(): Promise<void> {
    if (this.#file !== null) this.#lock ??= await StateLock.take(this.#file);
  }

  async release(): Promise<void> {
    const lock = this.#lock;
    this.#lock = undefined;
    await lock?.release();
  }
}

function openFolder(file: string): number {
  const folder = dirname(file);
  try {
    return openSync(folder, 'r');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const cure = code === 'ENOENT' ? 'make that folder' : 'see to its permissions';
    throw new Error(`${file} cannot be kept, since ${folder} cannot be opened (${code}): ${cure}`, { cause });
  }
}

function listen(path: string, file: string): Promise<Server> {
  const server = createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        new Error(
          `${file} cannot be kept: its lock cannot be made (${cause.code}): let the user that tlspin runs as write to ${dirname(file)}`,
          { cause },
        ),
      ),
    );
    const before = process.umask(0o077);
    server.listen(path, () => resolve(server));
    process.umask(before);
    server.unref();
  });
}
