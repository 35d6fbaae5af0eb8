/** The files that a configuration refers to: found relative to it, read once, and part of its hash. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
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

/** Throws what `fs` throws. A path that ends in a slash is a folder's: its content is the names of its configurations. */
export type ReadFile = (path: string) => FileContent;

export const readFromDisk: ReadFile = (path) => ({
  bytes: path.endsWith('/') ? Buffer.from(configurationsIn(path).join('\n')) : readFileSync(path),
  modifiedMs: statSync(path).mtimeMs,
});

/** As shells name them with *.json: nothing hidden, and no copies that editors and package managers leave. */
function configurationsIn(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json') && !name.startsWith('.'))
    .sort();
}

export class ReferredFiles {
  readonly #base: string;
  readonly #read: ReadFile;
  readonly #known: Map<string, FileContent | FileTrouble>;

  constructor(configuration: string, read: ReadFile, known = new Map<string, FileContent | FileTrouble>()) {
    this.#base = dirname(resolve(configuration));
    this.#read = read;
    this.#known = known;
  }

  /** The same files, found relative to another one. */
  of(configuration: string): ReferredFiles {
    return new ReferredFiles(configuration, this.#read, this.#known);
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
    return this.#load(this.path(name));
  }

  /** The paths of the configurations in a folder, in the order of their names. */
  loadFolder(name: string): readonly string[] | FileTrouble {
    const folder = `${this.path(name)}/`;
    const content = this.#load(folder);
    if ('error' in content) return content;
    const names = new TextDecoder().decode(content.bytes);
    return names === '' ? [] : names.split('\n').map((each) => `${folder}${each}`);
  }

  #load(path: string): FileContent | FileTrouble {
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
  EISDIR: ' (it is a folder: name the file in it, or name the folder in "include")',
};
