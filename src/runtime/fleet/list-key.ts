/** The file with what the gateways of a fleet have in common, to seal what they say of lists. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** Throws a sentence with the cure. */
export function readListKey(file: string): Uint8Array {
  const text = textOf(file);
  if (text.length < LEAST) {
    throw new Error(`${file}: a key of lists has at least ${LEAST} characters: openssl rand -hex 32 > ${file}`);
  }
  return createHash('sha256').update(text).digest();
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(`cannot read ${file}, the key of the fleet's lists: ${code}`, { cause });
  }
}

const LEAST = 32;
