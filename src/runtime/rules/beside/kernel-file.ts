/** Files in which the kernel shows how it is set. */
import { readFileSync } from 'node:fs';

/** A file's text without blanks around it; undefined where there is none. */
export type ReadFile = (path: string) => string | undefined;

export function readKernelFile(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return undefined;
  }
}
