/**
 * What a gateway knows of its fleet, on disk: the document in force and the newest versions that were seen. One file, read
 * whole and written whole. It is written by nobody else, and is believed no more than what comes from a server: the
 * document in it is signed.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { z } from 'zod';

import type { MemberState } from '../../fleet/member.ts';
import { replaceFile } from '../../learn/state-file.ts';

const seen = z.strictObject({ version: z.int().min(1), digest: z.string(), signature: z.string() }).nullable();

const kept = z.strictObject({
  format: z.literal(1),
  seen: z.strictObject({ all: seen, canary: seen }),
  accepted: z.strictObject({ since: z.int(), envelope: z.base64() }).nullable(),
});

export class KeptState {
  readonly #file: string;
  readonly #folder: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.#file = join(folder, `${name}.json`);
  }

  /** Throws a sentence with the cure where it is there and cannot be used. */
  read(): MemberState {
    const text = this.#text();
    if (text === undefined) return { seen: { all: null, canary: null }, accepted: null };
    try {
      const { seen, accepted } = kept.parse(JSON.parse(text));
      const envelope = accepted && Buffer.from(accepted.envelope, 'base64');
      return { seen, accepted: accepted && { since: accepted.since, envelope: new Uint8Array(envelope!) } };
    } catch (cause) {
      throw new Error(
        `${this.#file} is not what tlspin kept of its fleet: put a copy of it back, or move it away to hear everything anew`,
        { cause },
      );
    }
  }

  /** Rejects with a sentence, the old one still there. */
  async write({ seen, accepted }: MemberState): Promise<void> {
    const envelope = accepted && Buffer.from(accepted.envelope).toString('base64');
    const state = { format: 1, seen, accepted: accepted && { since: accepted.since, envelope } };
    try {
      mkdirSync(this.#folder, { recursive: true, mode: 0o700 });
      await replaceFile(this.#file, `${JSON.stringify(state)}\n`);
    } catch (cause) {
      throw new Error(`it cannot be kept in ${this.#file}: ${(cause as Error).message}`, { cause });
    }
  }

  #text(): string | undefined {
    try {
      return readFileSync(this.#file, 'utf8');
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code === 'ENOENT') return undefined;
      throw new Error(
        `cannot read ${this.#file}, where what the fleet sent is kept (${code}): let the user that tlspin runs as read it`,
        { cause },
      );
    }
  }
}
