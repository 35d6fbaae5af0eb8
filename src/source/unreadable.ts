/** Why a file that a command was given cannot be read, with what to do about it where that is known. Opens nothing. */
import { type Stats, statSync } from 'node:fs';

/** Undefined where there is none, or this user may not know: who opens it will be told. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** A clause without the file's name; undefined where it is no failure of the system. */
export function unreadable(cause: unknown): string | undefined {
  if (!(cause instanceof Error && 'syscall' in cause && 'code' in cause)) return undefined;
  const code = String(cause.code);
  return `cannot be read: ${code}${REMEDIES[code] ?? ''}`;
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: ' (there is no such file)',
  EACCES: ' (its permissions forbid it: use sudo)',
  EISDIR: ' (it is a folder: name a file in it)',
};
