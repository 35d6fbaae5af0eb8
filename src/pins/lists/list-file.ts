/**
 * The file of a writable list: its text with entries added and removed, comments and order kept, and the way in which it
 * comes onto the disk so that whoever reads it, and whatever happens, there is the old one or the new one, whole.
 */
import { constants, fchmodSync, fchownSync, fsyncSync } from 'node:fs';
import { closeSync, openSync, realpathSync, renameSync, rmSync, type Stats, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { entryOfLine, parseEntry } from './lists.ts';
import type { DigestKind } from '../document/pin-string.ts';

/** Canonical spellings. */
export interface ListChange {
  readonly add: ReadonlySet<string>;
  readonly remove: ReadonlySet<string>;
  /** Behind each that is added, for whoever reads the file: one line. */
  readonly comment?: string | undefined;
}

/** The text with the change made; what is in it already is not added again. */
export function editList(text: string, kind: DigestKind | null, { add, remove, comment }: ListChange): string {
  const missing = new Set(add);
  const kept = text.split('\n').filter((line) => {
    const canonical = canonicalOf(line, kind);
    if (canonical === undefined) return true;
    missing.delete(canonical);
    return !remove.has(canonical);
  });
  const rest = kept.join('\n');
  const begun = rest === '' || rest.endsWith('\n') ? rest : `${rest}\n`;
  const behind = comment === undefined ? '' : ` # ${comment}`;
  return missing.size === 0 ? rest : `${begun}${[...missing].map((entry) => `${entry}${behind}\n`).join('')}`;
}

/** Undefined where the line holds no entry, or none that can be read. */
function canonicalOf(line: string, kind: DigestKind | null): string | undefined {
  const entry = entryOfLine(line);
  if (entry === '') return undefined;
  const parsed = parseEntry(entry, kind);
  return 'pin' in parsed ? parsed.pin.canonical : undefined;
}

/**
 * Puts the text into the file: temporary file beside it, fsync, rename, fsync of the directory. Owner and mode stay;
 * a symbolic link stays one. Returns when it is on the disk; throws a sentence, with the file as it was.
 */
export function writeListFile(path: string, text: string | Uint8Array): void {
  const { before, target } = targetOf(path);
  const directory = dirname(target);
  const temporary = join(directory, `.${basename(target)}.tlspin-new`);
  try {
    // One that was left by a process that ended in the middle.
    rmSync(temporary, { force: true });
    const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
    withDescriptor(openSync(temporary, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600), (fd) => {
      writeFileSync(fd, text);
      if (before !== undefined) fchownSync(fd, before.uid, before.gid);
      fchmodSync(fd, before === undefined ? NEW_FILE_MODE : before.mode & 0o7777);
      fsyncSync(fd);
    });
    renameSync(temporary, target);
  } catch (cause) {
    rmSync(temporary, { force: true });
    throw unwritable(path, cause);
  }
  withDescriptor(openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY), fsyncSync);
}

function targetOf(path: string): { readonly before: Stats | undefined; readonly target: string } {
  try {
    const before = statSync(path, { throwIfNoEntry: false });
    return { before, target: before === undefined ? path : realpathSync(path) };
  } catch (cause) {
    throw unwritable(path, cause);
  }
}

function unwritable(path: string, cause: unknown): Error {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  return new Error(`cannot write ${path}: ${syscall ?? 'write'}: ${code}${CURES[code ?? ''] ?? ''}`, { cause });
}

function withDescriptor(fd: number, use: (fd: number) => void): void {
  try {
    use(fd);
  } finally {
    closeSync(fd);
  }
}

const NEW_FILE_MODE = 0o640;
const CURES: Readonly<Record<string, string>> = {
  EACCES: ' (this user may not write to its directory)',
  EPERM: ' (this user may not keep its owner)',
  EROFS: ' (the file system is read-only)',
  ENOSPC: ' (the file system is full)',
  ENOENT: ' (there is no such directory)',
};
