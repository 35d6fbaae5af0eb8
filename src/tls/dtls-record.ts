/**
 * DTLS records (RFC 6347 §4.1, and RFC 9147 §4 for what version 1.3 encrypts): whole ones, one or more a datagram, each
 * with its epoch. Knows content types and lengths; not what messages mean, not what is encrypted.
 *
 *   | type 8 | version 16 | epoch 16 | sequence number 48 | length 16 | fragment |
 *   | 0 0 1 C S L E E | connection ID, if C | sequence number 8, or 16 if S | length 16, if L | fragment |
 */
import { CONTENT, MAX_CIPHERTEXT, VERSION } from './constants.ts';

export interface DtlsRecord {
  readonly contentType: number;
  /** 1.3 for records of its own form, whose content type is hidden. */
  readonly version: number;
  /** 0 until the sender's ChangeCipherSpec: in clear. */
  readonly epoch: number;
  /** Of the fragment in the datagram. */
  readonly start: number;
  readonly end: number;
}

/** Whether the datagram begins with a whole record: octets that no other protocol's datagram has there by chance. */
export function beginsDtls(bytes: Uint8Array, start: number, end: number): boolean {
  return readPlainRecord(bytes, start, end) !== undefined;
}

export interface DtlsRecords {
  readonly records: readonly DtlsRecord[];
  /** False where something else follows, which receivers pass over in ways of their own (RFC 6347 §4.1.2.7). */
  readonly isWhole: boolean;
}

/** Every record of a datagram, up to where something else begins. */
export function readDtlsRecords(bytes: Uint8Array, start: number, end: number): DtlsRecords {
  const records: DtlsRecord[] = [];
  let at = start;
  for (let record = readDtlsRecord(bytes, at, end); record !== undefined; record = readDtlsRecord(bytes, at, end)) {
    records.push(record);
    at = record.end;
  }
  return { records, isWhole: at === end };
}

function readDtlsRecord(bytes: Uint8Array, at: number, end: number): DtlsRecord | undefined {
  return at < end && bytes[at]! >> 5 === 1 ? readUnifiedRecord(bytes, at, end) : readPlainRecord(bytes, at, end);
}

/** RFC 9147 §4. A connection ID has a length that only its owner knows: then it is all one record to the end. */
function readUnifiedRecord(bytes: Uint8Array, at: number, end: number): DtlsRecord | undefined {
  const flags = bytes[at]!;
  // The two lowest bits of the epoch; it is never 0.
  const record = { contentType: CONTENT.applicationData, version: VERSION.dtls13, epoch: flags & 3 || 4 };
  const lengthAt = at + 1 + (flags & UNIFIED.longSequence ? 2 : 1);
  if ((flags & UNIFIED.connectionId) !== 0 || (flags & UNIFIED.length) === 0) return { ...record, start: at + 1, end };
  const start = lengthAt + 2;
  const length = (bytes[lengthAt]! << 8) | bytes[lengthAt + 1]!;
  return start + length > end ? undefined : { ...record, start, end: start + length };
}

function readPlainRecord(bytes: Uint8Array, at: number, end: number): DtlsRecord | undefined {
  if (end - at < HEADER_LENGTH) return undefined;
  const contentType = bytes[at]!;
  const version = (bytes[at + 1]! << 8) | bytes[at + 2]!;
  const start = at + HEADER_LENGTH;
  const length = (bytes[at + 11]! << 8) | bytes[at + 12]!;
  if (contentType < CONTENT.changeCipherSpec || contentType > CONTENT.heartbeat) return undefined;
  if (!RECORD_VERSIONS.has(version) || length > MAX_CIPHERTEXT || start + length > end) return undefined;
  return { contentType, version, epoch: (bytes[at + 3]! << 8) | bytes[at + 4]!, start, end: start + length };
}

/** DTLS 1.3 says 1.2 here, where its records have this form at all (RFC 9147 §4). */
const RECORD_VERSIONS: ReadonlySet<number> = new Set([VERSION.dtls10, VERSION.dtls12, VERSION.dtls10OpenSsl]);
const HEADER_LENGTH = 13;
const UNIFIED = { connectionId: 0x10, longSequence: 0x08, length: 0x04 } as const;
