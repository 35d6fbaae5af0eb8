/** The files that a configuration refers to: found relative to it, read once, and part of its hash. */
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

export interface FileContent {
  readonly bytes: Uint8Array;
  /** Milliseconds since the epoch. */
  readonly modifiedMs: number;
}

export interface FileTrouble {
  /** A sentence. */
  readonly error: string;
  readonly isMissing: boolean;
}

/** Throws what `fs` throws. */
export type ReadFile = (path: string) => FileContent;

export const readFromDisk: ReadFile = (path) => ({ bytes: readFileSync(path), modifiedMs: statSync(path).mtimeMs });

export class ReferredFiles {
  readonly #base: string;
  readonly #read: ReadFile;
  readonly #known = new Map<string, FileContent | FileTrouble>();

  constructor(configuration: string, read: ReadFile) {
    this.#base = dirname(resolve(configuration));
    this.#read = read;
  }

  path(name: string): string {
    return resolve(this.#base, name);
  }

  /** Everything that was read, by path. */
  get paths(): string[] {
    return [...this.#known.keys()];
  }

  /** The error is a sentence. */
  load(name: string): FileContent | FileTrouble {
    const path = this.path(name);
    let content = this.#known.get(path);
    if (content === undefined) {
      content = readOrExplain(path, this.#read);
      this.#known.set(path, content);
    }
    return content;
  }

  /** `sha256:<hex>` of the document, of everything that was loaded, in the order in which it was, and of what was added. */
  hash(document: Uint8Array, added: string): string {
    const hash = createHash('sha256').update(document);
    for (const content of this.#known.values()) if ('bytes' in content) hash.update(content.bytes);
    hash.update(added);
    return `sha256:${hash.digest('hex')}`;
  }
}

export function readOrExplain(path: string, read: ReadFile): FileContent | FileTrouble {
  try {
    return read(path);
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    return { error: `cannot read ${path}: ${code}${REMEDIES[code] ?? ''}`, isMissing: code === 'ENOENT' };
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: ' (there is no such file)',
  EACCES: ' (its permissions forbid it)',
  EISDIR: ' (it is a directory)',
};
