/**
 * CompressedCertificate (RFC 8879 §4): a Certificate message behind zlib, brotli or zstd. What comes out has exactly the
 * announced length, and that is bounded before anything is decompressed. Knows nothing of what is inside.
 */
import { createContext, Script } from 'node:vm';
import * as zlib from 'node:zlib';

import { decompress } from 'fzstd';

import { type Fault, malformed, misbehaved, unsupported } from '../bytes/fault.ts';
import { ByteReader } from '../bytes/reader.ts';
import { LIMIT_FAULT } from './handshake.ts';

/** CertificateCompressionAlgorithm. */
export const COMPRESSION = { zlib: 1, brotli: 2, zstd: 3 } as const;

/** The Certificate message's body. `maxLength`: the limit `handshakeBytes`. */
export function readCompressedCertificate(body: Uint8Array, maxLength: number): Uint8Array | Fault {
  const reader = new ByteReader(body);
  const algorithm = reader.u16();
  const length = reader.u24();
  const compressed = reader.vector24().rest();
  if (!reader.atEnd() || compressed.length === 0 || length === 0)
    return malformed('tls.compressed-certificate.syntax', reader.at);
  if (length > maxLength) return misbehaved(LIMIT_FAULT, 2);
  const inflate = ALGORITHMS.get(algorithm);
  if (inflate === undefined) return unsupported('tls.compressed-certificate.algorithm', 0);
  try {
    const inflated = inflate(compressed, length);
    if (inflated.length === length) return inflated;
  } catch {
    // More than was announced, or no compressed data at all.
  }
  return malformed('tls.compressed-certificate.content', 8);
}

type Inflate = (compressed: Uint8Array, length: number) => Uint8Array;

const inflateZlib: Inflate = (compressed, length) => zlib.inflateSync(compressed, { maxOutputLength: length });

const inflateBrotli: Inflate = (compressed, length) =>
  zlib.brotliDecompressSync(compressed, { maxOutputLength: length });

/** By Node's own where it has one (22.15, 23.8 and later), by a script otherwise: of the same frames. */
const inflateZstd: Inflate = (compressed, length) => {
  if (!isZstdFrameOf(compressed, length)) return EMPTY;
  return nodeZstd?.(compressed, { maxOutputLength: length }) ?? inflateZstdByScript(compressed, length);
};

/**
 * fzstd writes no octet beyond the buffer that it is given and allocates nothing else by what a frame says. But it does
 * not notice when more was to be written, and nineteen octets can keep it busy for seconds: the lengths of its copies
 * are themselves compressed, so nothing short of reading them would tell. So its time is measured out, ten times what
 * 20,000 octets take at first.
 */
export function inflateZstdByScript(compressed: Uint8Array, length: number): Uint8Array {
  const context = createContext({ run: () => decompress(compressed, new Uint8Array(length)) });
  return ZSTD_SCRIPT.runInContext(context, { timeout: ZSTD_TIMEOUT_MS }) as Uint8Array;
}

/**
 * RFC 8878 §3.1.1: whether this is one frame and nothing behind it, which says that it holds so many octets, as
 * everyone's does that compresses a message as a whole; without a dictionary, and within the window that every decoder
 * must have (§3.1.1.1.2).
 */
function isZstdFrameOf(frame: Uint8Array, length: number): boolean {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  if (bytes.length < ZSTD_LEAST || bytes.readUInt32LE(0) !== ZSTD_MAGIC) return false;
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const hasChecksum = (descriptor & 0x04) !== 0;
  const hasDictionary = (descriptor & 0x03) !== 0;
  const isWide = !isSingleSegment && bytes[5]! > ZSTD_MAX_WINDOW;
  const size = contentSize(bytes, isSingleSegment ? 5 : 6, descriptor >> 6, isSingleSegment);
  if (hasDictionary || isWide || size?.value !== length) return false;
  return endOfBlocks(bytes, size.end) + (hasChecksum ? 4 : 0) === bytes.length;
}

/** Frame_Content_Size; undefined where the frame does not tell it, or in eight octets: more than any message has. */
function contentSize(
  bytes: Buffer,
  at: number,
  flag: number,
  isSingleSegment: boolean,
): { value: number; end: number } | undefined {
  if (flag === 0 && isSingleSegment) return { value: bytes[at]!, end: at + 1 };
  if (flag === 1) return { value: bytes.readUInt16LE(at) + 256, end: at + 2 };
  return flag === 2 ? { value: bytes.readUInt32LE(at), end: at + 4 } : undefined;
}

/** RFC 8878 §3.1.1.2: behind the last of them; NaN where they do not end. */
function endOfBlocks(bytes: Buffer, start: number): number {
  for (let at = start; at + 3 <= bytes.length;) {
    const header = bytes.readUIntLE(at, 3);
    const isRle = ((header >> 1) & 3) === 1;
    at += 3 + (isRle ? 1 : header >> 3);
    if ((header & 1) === 1) return at;
  }
  return Number.NaN;
}

const ALGORITHMS: ReadonlyMap<number, Inflate> = new Map([
  [COMPRESSION.zlib, inflateZlib],
  [COMPRESSION.brotli, inflateBrotli],
  [COMPRESSION.zstd, inflateZstd],
]);
/** Not in the types of Node 20. */
const nodeZstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Buffer }).zstdDecompressSync;
const ZSTD_SCRIPT = new Script('run()');
const ZSTD_TIMEOUT_MS = 100;
const ZSTD_MAGIC = 0xfd2fb528;
/** A window descriptor's exponent of 13 and no mantissa: 8 MiB. */
const ZSTD_MAX_WINDOW = 13 << 3;
/** Magic number, descriptor, window descriptor, content size. */
const ZSTD_LEAST = 4 + 1 + 1 + 4;
const EMPTY = new Uint8Array(0);
