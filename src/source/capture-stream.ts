/**
 * The octets of a capture file or of standard input, decompressed where they begin as gzip does (RFC 1952), pushed chunk
 * by chunk into a consumer that is done with each before it returns: whatever a capture's size, only a chunk of it is in
 * memory. What could be read before an error is always handed over first. Knows no capture format.
 */
import { createReadStream } from 'node:fs';
import { constants, createGunzip } from 'node:zlib';
import type { Gunzip } from 'node:zlib';

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
  const stream = path === '-' ? process.stdin : createReadStream(path, { highWaterMark: CHUNK });
  let head: Buffer | undefined;
  let inflater: Inflater | undefined;
  let octets = 0;
  try {
    for await (const piece of stream) {
      if (options.signal?.aborted) break;
      let chunk = piece as Buffer;
      octets += chunk.length;
      options.onProgress?.(octets);
      if (head === undefined || head.length < MAGIC_LENGTH) {
        head = head === undefined ? chunk : Buffer.concat([head, chunk]);
        if (head.length < MAGIC_LENGTH) continue;
        chunk = head;
        if (head.readUInt16BE(0) === GZIP_MAGIC) inflater = new Inflater(consumer);
      }
      if (inflater === undefined) consumer.write(chunk);
      else await inflater.write(chunk);
    }
  } catch (error) {
    // A directory, or a file that went away: name the operation, not the call.
    throw isSystemError(error) ? new Error(`cannot be read: ${error.code}`, { cause: error }) : error;
  }
  if (inflater !== undefined) await inflater.end();
  else if (head !== undefined && head.length < MAGIC_LENGTH) consumer.write(head);
}

/**
 * The decompressor hands its output over while it flows and is never paused, since a stream that fails throws away what
 * it has buffered. Its input waits instead.
 */
class Inflater {
  readonly #gunzip: Gunzip;
  #failure: unknown;

  constructor(consumer: ChunkConsumer) {
    this.#gunzip = createGunzip({ chunkSize: CHUNK, flush: constants.Z_SYNC_FLUSH });
    this.#gunzip.on('error', (error) => {
      this.#failure ??= new Error(`gzip: ${error.message}`, { cause: error });
    });
    this.#gunzip.on('data', (chunk: Buffer) => {
      if (this.#failure !== undefined) return;
      try {
        consumer.write(chunk);
      } catch (error) {
        this.#failure = error;
      }
    });
  }

  write(chunk: Buffer): Promise<void> {
    return this.#until((settle) => this.#gunzip.write(chunk, settle));
  }

  /** Fails with `unexpected end of file` where the compressed data is cut short. */
  end(): Promise<void> {
    return this.#until((settle) => this.#gunzip.once('end', settle).end());
  }

  /** A write that fails never calls back: the error itself settles it. */
  #until(begin: (settle: () => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#gunzip.off('error', settle);
        if (this.#failure === undefined) resolve();
        else reject(this.#failure);
      };
      this.#gunzip.once('error', settle);
      begin(settle);
    });
  }
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error && 'code' in error;
}

const CHUNK = 1 << 20;
const MAGIC_LENGTH = 4;
const GZIP_MAGIC = 0x1f8b;
