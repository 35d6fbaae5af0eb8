/**
 * The file with what the gateways of a fleet have in common and its servers do not. Each use has a key of its own, so that
 * what was sealed for one is nothing for another.
 */
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';

export type FleetKeyUse = 'lists' | 'verdicts' | 'witnesses' | 'learned' | 'pair';

/** Throws a sentence with the cure. */
export function readFleetKey(file: string): (use: FleetKeyUse) => Uint8Array {
  const text = textOf(file);
  if (text.length < LEAST) {
    throw new Error(`${file}: the key of a fleet has at least ${LEAST} characters: openssl rand -hex 32 > ${file}`);
  }
  return (use) => createHmac('sha256', text).update(`tlspin ${use}`).digest();
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new Error(
      `cannot read ${file}, the key that the gateways of the fleet have in common (${code}): see to the path and its permissions`,
      { cause },
    );
  }
}

const LEAST = 32;
