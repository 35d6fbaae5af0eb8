/**
 * Tells when the files of a configuration have changed and have then kept still for a moment: an editor may write one in
 * pieces, and several may belong together. Looks at them now and then, which also sees what is put in a file's place.
 */
import { statSync } from 'node:fs';

export interface FileWatchOptions {
  /** The files now. */
  readonly paths: () => readonly string[];
  readonly onChange: () => void;
  /** Milliseconds between two looks. */
  readonly interval?: number;
}

export class FileWatch {
  readonly #options: FileWatchOptions;
  readonly #timer: NodeJS.Timeout;
  /** As told of, and as seen at the last look. */
  #known: string;
  #seen: string;

  constructor(options: FileWatchOptions) {
    this.#options = options;
    this.#known = this.#seen = this.#look();
    this.#timer = setInterval(() => this.#onLook(), options.interval ?? INTERVAL_MS);
    this.#timer.unref();
  }

  /** Whatever they are now is known. */
  settle(): void {
    this.#known = this.#seen = this.#look();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #onLook(): void {
    const now = this.#look();
    const isStill = now === this.#seen;
    this.#seen = now;
    if (!isStill || now === this.#known) return;
    this.#known = now;
    this.#options.onChange();
  }

  #look(): string {
    return this.#options.paths().map(signatureOf).join('\n');
  }
}

/** When it was last written, in milliseconds since the epoch; undefined where it is not there, or this user may not know. */
export function writtenAt(path: string): number | undefined {
  try {
    return statSync(path).mtimeMs;
  } catch {
    return undefined;
  }
}

function signatureOf(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${path} ${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch (error) {
    return `${path} ${(error as NodeJS.ErrnoException).code}`;
  }
}

const INTERVAL_MS = 1_000;
