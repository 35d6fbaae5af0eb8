/**
 * What waits to be carried to a fleet, on disk, so that it outlives this process: a file each, the oldest first, and no
 * more octets than are allowed. A disk that takes none leaves a few in memory. Knows nothing of what they are.
 */
import { accessSync, constants, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Where it is, and how many records it has, are in the name of its file. */
export interface Spooled {
  readonly run: number;
  readonly number: number;
  readonly records: number;
}

export class Spool {
  readonly #folder: string;
  readonly #most: number;
  readonly #onLost: (records: number) => void;
  /** The oldest first. */
  #entries = new Map<Spooled, Entry>();
  /** Those that are in memory. */
  #held: Entry[] = [];
  #octets = 0;

  /** Throws where the folder cannot be had. */
  constructor(folder: string, most: number, onLost: (records: number) => void) {
    this.#folder = folder;
    this.#most = most;
    this.#onLost = onLost;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    accessSync(folder, constants.R_OK | constants.W_OK | constants.X_OK);
  }

  /** Takes in what other processes have left, ahead of what there is. */
  takeIn(): void {
    const own = [...this.#entries.values()];
    const known = new Set(own.map(({ of }) => nameOf(of)));
    const left = readdirSync(this.#folder).flatMap((name) => {
      const [, run, number, records, rest] = NAME.exec(name) ?? [];
      if (run === undefined || known.has(name.replace(PART, ''))) return [];
      if (rest === undefined) return [{ run: Number(run), number: Number(number), records: Number(records) }];
      rmSync(join(this.#folder, name), { force: true });
      return [];
    });
    left.sort((a, b) => a.run - b.run || a.number - b.number);
    this.#entries = new Map();
    this.#octets = 0;
    for (const of of left) this.#take({ of, room: roomOf(statSync(this.#pathOf(of)).size), isWritten: true });
    for (const entry of own) this.#take(entry);
    this.#makeRoom();
  }

  /** Of the disk, that is taken by what waits. */
  get octets(): number {
    return this.#octets;
  }

  get oldest(): Spooled | undefined {
    for (const of of this.#entries.keys()) return of;
    return undefined;
  }

  /** Resolves when it is on disk, or cannot be. */
  async add(of: Spooled, octets: Uint8Array): Promise<void> {
    const entry: Entry = { of, room: roomOf(octets.length), octets, isWritten: false };
    this.#take(entry);
    this.#held.push(entry);
    this.#makeRoom();
    await this.#write(entry, octets);
    for (const held of this.#held.splice(0, this.#held.length - IN_MEMORY)) {
      if (held.isWritten) delete held.octets;
      else this.#lose(held);
    }
  }

  /** Undefined where somebody has taken its file away; rejects with a clause where it cannot be read at the moment. */
  async read(of: Spooled): Promise<Uint8Array | undefined> {
    const entry = this.#entries.get(of);
    if (entry === undefined || entry.octets !== undefined) return entry?.octets;
    try {
      return await readFile(this.#pathOf(of));
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      if (code !== 'ENOENT') throw new Error(`what waits in ${this.#folder} cannot be read (${code})`, { cause });
      this.#lose(entry);
      return undefined;
    }
  }

  /** It has arrived. */
  async remove(of: Spooled): Promise<void> {
    const entry = this.#entries.get(of);
    if (entry === undefined) return;
    this.#forget(entry);
    await unlink(this.#pathOf(of)).catch(() => {});
  }

  /** It cannot arrive. */
  lose(of: Spooled): void {
    const entry = this.#entries.get(of);
    if (entry !== undefined) this.#lose(entry);
  }

  async #write(entry: Entry, octets: Uint8Array): Promise<void> {
    const path = this.#pathOf(entry.of);
    try {
      // One that was written in part is none for the next process.
      await writeFile(`${path}${PART}`, octets, { mode: 0o600 });
      await rename(`${path}${PART}`, path);
      entry.isWritten = true;
      // It may have arrived, or made room, meanwhile.
      if (!this.#entries.has(entry.of)) await unlink(path);
    } catch {
      await unlink(`${path}${PART}`).catch(() => {});
    }
  }

  #take(entry: Entry): void {
    this.#entries.set(entry.of, entry);
    this.#octets += entry.room;
  }

  #makeRoom(): void {
    for (const entry of this.#entries.values()) {
      if (this.#octets <= this.#most || this.#entries.size === 1) break;
      this.#lose(entry);
    }
  }

  #lose(entry: Entry): void {
    if (!this.#entries.has(entry.of)) return;
    this.#forget(entry);
    if (entry.isWritten) void unlink(this.#pathOf(entry.of)).catch(() => {});
    this.#onLost(entry.of.records);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.of);
    this.#octets -= entry.room;
    this.#held = this.#held.filter((held) => held !== entry);
  }

  #pathOf(of: Spooled): string {
    return join(this.#folder, nameOf(of));
  }
}

function nameOf({ run, number, records }: Spooled): string {
  return `${run}-${number}-${records}.batch`;
}

interface Entry {
  readonly of: Spooled;
  readonly room: number;
  octets?: Uint8Array;
  isWritten: boolean;
}

/** Small files take a block too. */
function roomOf(length: number): number {
  return Math.max(1, Math.ceil(length / BLOCK)) * BLOCK;
}

const BLOCK = 4096;
const NAME = /^(\d{1,15})-(\d{1,15})-(\d{1,9})\.batch(\.part)?$/;
/** What is being written. */
const PART = '.part';
const IN_MEMORY = 16;
