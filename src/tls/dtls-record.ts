/**
 * DTLS records (RFC 6347 §4.1) up to version 1.2: whole ones, one or more a datagram, each with its epoch and its place
 * in the sequence. Knows content types and lengths; not what messages mean, not what is encrypted.
 *
 *   | type 8 | version 16 | epoch 16 | sequence number 48 | length 16 | fragment |
 */
import { type Fault, malformed } from '../bytes/fault.ts';
import { CONTENT, VERSION } from './constants.ts';

export interface DtlsRecord {
  readonly contentType: number;
  readonly version: number;
  /** 0 until the sender's ChangeCipherSpec: in clear. */
  readonly epoch: number;
  /** Of the fragment in the datagram. */
  readonly start: number;
  readonly end: number;
}

/** Whether the datagram begins with a whole record: octets that no other protocol's datagram has there by chance. */
export function beginsDtls(bytes: Uint8Array, start: number, end: number): boolean {
  return readDtlsRecord(bytes, start, end) !== undefined;
}

/** Every record of a datagram, until something else comes, which receivers pass over silently (RFC 6347 §4.1.2.7). */
export function readDtlsRecords(bytes: Uint8Array, start: number, end: number): DtlsRecord[] | Fault {
  const records: DtlsRecord[] = [];
  for (let at = start; at < end; at = records.at(-1)!.end) {
    const record = readDtlsRecord(bytes, at, end);
    if (record === undefined) return records.length > 0 ? records : malformed('dtls.record.syntax', at);
    records.push(record);
  }
  return records;
}

function readDtlsRecord(bytes: Uint8Array, at: number, end: number): DtlsRecord | undefined {
  if (end - at < HEADER_LENGTH) return undefined;
  const contentType = bytes[at]!;
  const version = (bytes[at + 1]! << 8) | bytes[at + 2]!;
  const start = at + HEADER_LENGTH;
  const length = (bytes[at + 11]! << 8) | bytes[at + 12]!;
  if (contentType < CONTENT.changeCipherSpec || contentType > CONTENT.heartbeat) return undefined;
  if (!RECORD_VERSIONS.has(version) || start + length > end) return undefined;
  return { contentType, version, epoch: (bytes[at + 3]! << 8) | bytes[at + 4]!, start, end: start + length };
}

/** DTLS 1.3 says 1.2 here, where its records have this form at all (RFC 9147 §4). */
const RECORD_VERSIONS: ReadonlySet<number> = new Set([VERSION.dtls10, VERSION.dtls12, VERSION.dtls10OpenSsl]);
const HEADER_LENGTH = 13;
