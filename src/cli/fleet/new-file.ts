/** Files with keys in them: made, and never overwritten. */
import { writeFileSync } from 'node:fs';

/** Throws a sentence. */
export function writeNew(path: string, text: string, mode: number): void {
  try {
    writeFileSync(path, text, { flag: 'wx', mode });
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = `cannot write ${path} (${code}): name a file in a folder that you may write to`;
    throw new Error(code === 'EEXIST' ? thereAlready(path) : why, { cause });
  }
}

export function thereAlready(path: string): string {
  return `${path} is there already, and keys are never overwritten: name another file`;
}
