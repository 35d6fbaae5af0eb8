/**
 * The file in which what was learned survives: read whole, written whole, by a temporary file that takes its place, so
 * that at any moment there is an old one or a new one. Changes are gathered for some seconds. Knows no certificates.
 */
import { readFileSync } from 'node:fs';
import { open, rename, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { type LearnState, NOTHING_LEARNED, parseState, stateText } from './state.ts';

/** Nothing where there is no file yet. Throws a sentence with the cure where it cannot be read or is damaged. */
export function readState(path: string): LearnState {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT') return structuredClone(NOTHING_LEARNED);
    throw new Error(
      `cannot read ${path}, where what was learned is kept (${code}): let the user that tlspin runs as read it`,
      { cause },
    );
  }
  try {
    return parseState(text);
  } catch (cause) {
    throw new Error(
      `${path} is not what tlspin learned (${(cause as Error).message}): put a copy of it back, or move it away to learn everything anew`,
      { cause },
    );
  }
}

export class StateFile {
  readonly #path: string;
  readonly #state: () => LearnState;
  readonly #say: (line: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #isChanged = false;
  /** The write under way. */
  #writing: Promise<void> = Promise.resolve();
  #hasFailed = false;

  /** `state`: what is to be written, asked for when it is. */
  constructor(path: string, state: () => LearnState, say: (line: string) => void) {
    this.#path = path;
    this.#state = state;
    this.#say = say;
  }

  /** Has it written within some seconds. */
  touch(): void {
    this.#isChanged = true;
    this.#timer ??= setTimeout(() => void this.save(), DELAY_MS).unref();
  }

  /** Resolves when everything up to now is in the file; where that cannot be, when that has been said. */
  save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  /** Writes another state, and then has it made the one that is kept; rejects, nothing done, where it cannot be written. */
  change(next: () => LearnState, done: () => void): Promise<void> {
    const changed = this.#writing.then(async () => {
      await replaceState(this.#path, next());
      done();
    });
    this.#writing = changed.catch(() => {}); // whoever asked hears of it
    return changed;
  }

  async #write(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    try {
      await replaceFile(this.#path, stateText(this.#state()));
      this.#hasFailed = false;
    } catch (cause) {
      this.#isChanged = true;
      // It is tried again with the next change; saying so once is enough.
      if (!this.#hasFailed) {
        this.#say(`what was learned cannot be written to ${this.#path}: ${(cause as Error).message}; trying again`);
      }
      this.#hasFailed = true;
    }
  }
}

/** Rejects with a sentence, the old one still there. */
export async function replaceState(path: string, state: LearnState): Promise<void> {
  const text = stateText(state);
  try {
    await replaceFile(path, text);
  } catch (cause) {
    throw new Error(`${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** The folder is synchronised too, so that the new name survives a loss of power. */
export async function replaceFile(path: string, text: string): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.tmp`);
  try {
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (cause) {
    await unlink(temporary).catch(() => {});
    throw cause;
  }
  const folder = await open(dirname(path), 'r');
  await folder.sync().finally(() => folder.close());
}

const DELAY_MS = 3_000;
