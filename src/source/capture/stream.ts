/**
 * The octets of a capture file or of standard input, decompressed where they begin as gzip does, pushed chunk by chunk
 * into a consumer that is done with each before it returns: whatever a capture's size, only a chunk of it is in memory.
 * What could be read before an error is always handed over first. Knows no capture format.
 */
import { closeSync, createReadStream, openSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';

import { statOf, unreadable } from '../unreadable.ts';
import { Gunzip } from './gunzip.ts';

export interface ChunkConsumer {
  /** A throw ends the reading with that error. */
  write(chunk: Buffer): void;
}

export interface ReadOptions {
  /** Told the octets read so far, before decompression. */
  readonly onProgress?: ((octets: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Reads `path` ('-': standard input) to its end into `consumer`. */
export async function readCapture(path: string, consumer: ChunkConsumer, options: ReadOptions = {}): Promise<void> {
  let head: Buffer | undefined;
  let gunzip: Gunzip | undefined;
  let octets = 0;
  try {
    for await (const piece of piecesOf(path)) {
      if (options.signal?.aborted) break;
      let chunk = piece as Buffer;
      octets += chunk.length;
      options.onProgress?.(octets);
      if (head === undefined || head.length < MAGIC_LENGTH) {
        head = Buffer.concat(head === undefined ? [chunk] : [head, chunk]);
        if (head.length < MAGIC_LENGTH) continue;
        chunk = head;
        refuseOtherCompression(head, path);
        if (Gunzip.recognises(head)) gunzip = new Gunzip((inflated) => consumer.write(inflated));
      }
      if (gunzip === undefined) consumer.write(chunk);
      else await gunzip.write(chunk);
    }
  } catch (error) {
    // A directory, or a file that went away: name the operation, not the call.
    const clause = unreadable(error);
    throw clause === undefined ? error : new Error(clause, { cause: error });
  }
  if (options.signal?.aborted) return;
  if (gunzip !== undefined) gunzip.end();
  else if (head !== undefined && head.length < MAGIC_LENGTH) consumer.write(head);
}

/** Each is done with before the next one is asked for. */
function piecesOf(path: string): AsyncIterable<unknown> {
  if (path === '-') return process.stdin;
  return isFile(path) ? piecesOfFile(path) : createReadStream(path, { highWaterMark: CHUNK });
}

/** Of a file all of them lie in the same octets, one after the other. */
async function* piecesOfFile(path: string): AsyncGenerator<Buffer, void, undefined> {
  const file = openSync(path, 'r');
  const octets = Buffer.allocUnsafeSlow(CHUNK);
  try {
    for (let length = readSync(file, octets); length > 0; length = readSync(file, octets)) {
      yield octets.subarray(0, length);
      // Others' turn.
      await setImmediate();
    }
  } finally {
    closeSync(file);
  }
}

/** Whether its octets can be read more than once. */
export function isFile(path: string): boolean {
  return path !== '-' && statOf(path)?.isFile() === true;
}

/** Throws with the command that reads it. */
function refuseOtherCompression(head: Buffer, path: string): void {
  const magic = head.toString('hex', 0, MAGIC_LENGTH);
  const [program] = COMPRESSED.find(([, begins]) => magic.startsWith(begins)) ?? [];
  if (program === undefined) return;
  const from = path === '-' ? '' : ` ${path}`;
  throw new Error(`compressed with ${program}, which is not read here: ${program} -dc${from} | tlspin inspect -`);
}

const CHUNK = 1 << 20;
const MAGIC_LENGTH = 4;
/** How files begin that somebody else has to decompress, by the program that does. */
const COMPRESSED: readonly (readonly [program: string, head: string])[] = [
  ['zstd', '28b52ffd'],
  ['xz', 'fd377a58'],
  ['bzip2', '425a68'],
  ['lz4', '04224d18'],
];
