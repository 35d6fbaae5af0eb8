/**
 * Gzip (RFC 1952) member by member, so that what is behind the last one, and where damage is, can be told. zlib does the
 * inflating, a slice of the input at a time, since a slice with an error in it gives nothing. Zeros behind a member are
 * what tapes and block devices leave. Knows nothing of what is compressed.
 */
import { constants, crc32, createInflateRaw, type InflateRaw } from 'node:zlib';

export class Gunzip {
  readonly #write: (chunk: Buffer) => void;
  #pending: Buffer = Buffer.alloc(0);
  #part: 'header' | 'data' | 'trailer' | 'behind' = 'header';
  #inflate: InflateRaw | undefined;
  #failure: unknown;
  #crc = 0;
  #length = 0;
  /** Offset in the file of the first octet of what has not been dealt with. */
  #at = 0;

  /** `write` gets what was compressed, piece by piece; a throw ends the reading with that error. */
  constructor(write: (chunk: Buffer) => void) {
    this.#write = write;
  }

  static recognises(head: Buffer): boolean {
    return head.length >= 2 && head.readUInt16BE(0) === MAGIC;
  }

  /** Rejects where the file is damaged, after everything before was handed over. */
  async write(chunk: Buffer): Promise<void> {
    for (let from = 0; from < chunk.length; from += SLICE) await this.#slice(chunk.subarray(from, from + SLICE));
  }

  /** The file ends here: throws where it ends inside a member. */
  end(): void {
    this.#inflate?.destroy();
    if (this.#part === 'behind' && this.#pending.length === 0) return;
    throw this.#error(`cut short: a member's ${this.#part === 'behind' ? 'header' : this.#part} ends`);
  }

  async #slice(slice: Buffer): Promise<void> {
    let rest = this.#pending.length === 0 ? slice : Buffer.concat([this.#pending, slice]);
    for (;;) {
      const taken = this.#part === 'data' ? await this.#data(rest) : this.#frame(rest);
      this.#at += taken;
      rest = rest.subarray(taken);
      if (taken === 0 || rest.length === 0) break;
    }
    this.#pending = Buffer.from(rest);
  }

  /** What is not data: octets taken, 0 where more are needed. */
  #frame(octets: Buffer): number {
    if (this.#part === 'behind') {
      let zeros = 0;
      while (octets[zeros] === 0) zeros++;
      if (zeros > 0) return zeros;
      this.#part = 'header';
    }
    if (this.#part === 'trailer') return this.#trailer(octets);
    const length = this.#headerLength(octets);
    if (length === 0) return 0;
    this.#begin();
    return length;
  }

  /** | magic 2 | method 1 | flags 1 | time 4 | level 1 | system 1 |, then what the flags say; 0 where it is not whole. */
  #headerLength(octets: Buffer): number {
    if (octets.length < 10) {
      if (octets.length >= 2 && !Gunzip.recognises(octets)) throw this.#error('no gzip member begins');
      return 0;
    }
    if (!Gunzip.recognises(octets) || octets[2] !== DEFLATE) throw this.#error('no gzip member begins');
    const flags = octets[3]!;
    let at = 10;
    if (flags & FLAG.extra) {
      if (octets.length < at + 2) return 0;
      at += 2 + octets.readUInt16LE(at);
    }
    for (const flag of [FLAG.name, FLAG.comment]) {
      if ((flags & flag) === 0) continue;
      const end = octets.indexOf(0, at);
      if (end < 0 && octets.length > LONGEST_HEADER) throw this.#error('a member has a header without end');
      if (end < 0) return 0;
      at = end + 1;
    }
    if (flags & FLAG.headerCrc) at += 2;
    return octets.length < at ? 0 : at;
  }

  #begin(): void {
    this.#part = 'data';
    this.#crc = 0;
    this.#length = 0;
    this.#inflate = createInflateRaw({ chunkSize: CHUNK, flush: constants.Z_SYNC_FLUSH });
    this.#inflate.on('data', (chunk: Buffer) => {
      if (this.#failure !== undefined) return;
      this.#crc = crc32(chunk, this.#crc);
      this.#length = (this.#length + chunk.length) >>> 0;
      try {
        this.#write(chunk);
      } catch (error) {
        this.#failure = error;
      }
    });
  }

  /** How many of the octets are the member's data. */
  async #data(octets: Buffer): Promise<number> {
    const inflate = this.#inflate!;
    const before = inflate.bytesWritten;
    let isOver = false;
    await new Promise<void>((resolve) => {
      const onEnd = (): void => {
        isOver = true;
        resolve();
      };
      const onError = (error: Error): void => {
        this.#failure ??= this.#error(`damaged: ${error.message}`);
        resolve();
      };
      inflate.once('end', onEnd).once('error', onError);
      inflate.write(octets, () => {
        // Of a member that ends in these octets the end is told first, or right behind.
        setImmediate(() => {
          inflate.off('end', onEnd).off('error', onError);
          resolve();
        });
      });
    });
    if (this.#failure !== undefined) throw this.#failure;
    if (isOver) this.#part = 'trailer';
    return isOver ? inflate.bytesWritten - before : octets.length;
  }

  /** | CRC 4 | length 4 |, little endian. */
  #trailer(octets: Buffer): number {
    if (octets.length < 8) return 0;
    if (octets.readUInt32LE(0) !== this.#crc) throw this.#error('damaged: the checksum of what was read is another');
    if (octets.readUInt32LE(4) !== this.#length) throw this.#error('damaged: the length of what was read is another');
    this.#part = 'behind';
    return 8;
  }

  #error(what: string): Error {
    return new Error(`gzip: ${what} at byte ${this.#at} of the compressed file`);
  }
}

const MAGIC = 0x1f8b;
const DEFLATE = 8;
const FLAG = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10 } as const;
/** Far more than any header has, and a bound on what is kept for one. */
const LONGEST_HEADER = 1 << 20;
const SLICE = 16_384;
const CHUNK = 1 << 20;
