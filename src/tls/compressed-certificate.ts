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

/** Node's own where it has one (22.15, 23.8 and later). */
const inflateZstd: Inflate = (compressed, length) =>
  nodeZstd?.(compressed, { maxOutputLength: length, params: { [WINDOW_LOG_MAX]: 23 } }) ??
  inflateZstdByScript(compressed, length);

/**
 * fzstd writes no octet beyond the buffer that it is given and allocates nothing else by what a frame says. But it does
 * not notice when more was to be written, and a few hundred octets can keep it busy for minutes: so the frame has to
 * tell its length, as everyone's does that compresses a message as a whole, and its time is measured out.
 */
function inflateZstdByScript(compressed: Uint8Array, length: number): Uint8Array {
  if (zstdContentSize(compressed) !== length) return EMPTY;
  const context = createContext({ run: () => decompress(compressed, new Uint8Array(length)) });
  return ZSTD_SCRIPT.runInContext(context, { timeout: ZSTD_TIMEOUT_MS }) as Uint8Array;
}

/** RFC 8878 §3.1.1.1: Frame_Content_Size; undefined when the frame does not tell it, or is none. */
function zstdContentSize(frame: Uint8Array): number | undefined {
  const bytes = Buffer.from(frame.buffer, frame.byteOffset, frame.length);
  if (bytes.length < MAX_ZSTD_HEADER || bytes.readUInt32LE(0) !== ZSTD_MAGIC) return undefined;
  const descriptor = bytes[4]!;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionary = [0, 1, 2, 4][descriptor & 3]!;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionary;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? bytes[at] : undefined;
    case 1:
      return bytes.readUInt16LE(at) + 256;
    case 2:
      return bytes.readUInt32LE(at);
    default:
      return undefined; // eight octets: more than any message has
  }
}

const ALGORITHMS: ReadonlyMap<number, Inflate> = new Map([
  [COMPRESSION.zlib, inflateZlib],
  [COMPRESSION.brotli, inflateBrotli],
  [COMPRESSION.zstd, inflateZstd],
]);
/** Not in the types of Node 20. */
const nodeZstd = (zlib as { zstdDecompressSync?: (bytes: Uint8Array, options: object) => Buffer }).zstdDecompressSync;
const WINDOW_LOG_MAX = (zlib.constants as { ZSTD_d_windowLogMax?: number }).ZSTD_d_windowLogMax ?? 100;
const ZSTD_SCRIPT = new Script('run()');
const ZSTD_TIMEOUT_MS = 50;
const ZSTD_MAGIC = 0xfd2fb528;
const MAX_ZSTD_HEADER = 4 + 1 + 1 + 4 + 4;
const EMPTY = new Uint8Array(0);
