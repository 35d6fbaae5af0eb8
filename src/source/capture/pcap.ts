/**
 * The pcap format (draft-ietf-opsawg-pcap). Finds the file's variant and each record's bounds, which nothing else is
 * trusted with: what is wrong becomes a `CaptureError`. Whole records are handed over as they lie in the chunk, or, where
 * the octets come but once, by the pcap-parser package (pcap-package.ts), which takes ten times as long for each.
 *
 *   | magic 4 | version 2+2 | zone 4 | accuracy 4 | snap length 4 | link type 4 |   then records
 *   | seconds 4 | fraction 4 | captured length 4 | original length 4 | captured octets |
 *
 * In files of the modified kind, which Alexey Kuznetsov's libpcap and FRITZ!Box routers write, the header of a record
 * goes on with | interface 4 | protocol 2 | packet type 1 | padding 1 |.
 */
import { PcapPackage, type PcapRecords } from './pcap-package.ts';
import { CaptureError, MAX_FRAME_LENGTH } from './record.ts';
import type { CaptureReader, RecordSink } from './record.ts';

export class PcapReader implements CaptureReader {
  readonly #sink: RecordSink;
  readonly #package: PcapPackage | undefined;
  /** The beginning of a structure whose end is in a later chunk. */
  #pending: Buffer = EMPTY;
  /** Offset in the file of the first octet of `#pending`. */
  #at = 0;
  #bigEndian = false;
  #nano = false;
  #headerLength = RECORD_HEADER_LENGTH;
  #started = false;
  #linkType = 0;

  /** `byPackage`: have the pcap-parser package read what a record says. */
  constructor(sink: RecordSink, byPackage = false) {
    this.#sink = sink;
    const records: PcapRecords = {
      onRecord: (...record) => this.#hand(...record),
      onError: (message) => {
        throw new CaptureError(message, this.#at);
      },
    };
    this.#package = byPackage ? new PcapPackage(records) : undefined;
  }

  /** True when `head`, at least 4 octets, begins a pcap file of a variant that is read here. */
  static recognises(head: Buffer): boolean {
    return variantOf(head) !== undefined;
  }

  write(chunk: Buffer): void {
    let bad: CaptureError | undefined;
    let from = 0;
    // What began in an earlier chunk is made whole by itself; the rest is read where it lies.
    while (this.#pending.length > 0 && from < chunk.length && bad === undefined) {
      const end = Math.min(chunk.length, from + this.#wanted - this.#pending.length);
      bad = this.#read(Buffer.concat([this.#pending, chunk.subarray(from, end)]));
      from = end;
    }
    if (from < chunk.length && bad === undefined) bad = this.#read(from === 0 ? chunk : chunk.subarray(from));
    if (this.#started) this.#sink.onChunkEnd();
    if (bad !== undefined) throw bad;
  }

  /** Octets of the structure that is pending, as far as it tells. */
  get #wanted(): number {
    if (!this.#started) return FILE_HEADER_LENGTH;
    const head = this.#headerLength;
    return this.#pending.length < head ? head : head + this.#u32(this.#pending, 8);
  }

  /** Hands over what is whole of `bytes`, and keeps the rest; an error where nothing more can be read. */
  #read(bytes: Buffer): CaptureError | undefined {
    let from = 0;
    if (!this.#started) {
      if (bytes.length < FILE_HEADER_LENGTH) {
        this.#pending = Buffer.from(bytes);
        return undefined;
      }
      this.#begin(bytes.subarray(0, FILE_HEADER_LENGTH));
      from = FILE_HEADER_LENGTH;
      this.#at = from;
    }
    let bad: CaptureError | undefined;
    let at = from;
    while (bytes.length - at >= this.#headerLength) {
      const capturedLength = this.#u32(bytes, at + 8);
      if (capturedLength > MAX_FRAME_LENGTH) {
        bad = new CaptureError(
          `damaged: a record claims ${capturedLength} octets (at most ${MAX_FRAME_LENGTH})`,
          this.#at + at - from,
        );
        break;
      }
      const start = at + this.#headerLength;
      const end = start + capturedLength;
      if (end > bytes.length) break;
      if (this.#package === undefined) this.#record(bytes, at, start, end);
      at = end;
    }
    if (at > from) this.#package?.write(this.#normalised(bytes.subarray(from, at)));
    this.#at += at - from;
    this.#pending = at === bytes.length ? EMPTY : Buffer.from(bytes.subarray(at));
    return bad;
  }

  end(): void {
    if (!this.#started) throw new CaptureError('cut short: the file header ends', this.#pending.length);
    const present = this.#pending.length;
    if (present === 0) return;
    throw new CaptureError(`cut short: a record has ${present} of at least ${this.#wanted} octets`, this.#at);
  }

  #begin(header: Buffer): void {
    const variant = variantOf(header);
    if (variant === undefined) throw new CaptureError('not a pcap file', 0);
    this.#bigEndian = variant.bigEndian;
    this.#nano = variant.nano;
    if (variant.isModified) this.#headerLength = MODIFIED_HEADER_LENGTH;
    const major = variant.bigEndian ? header.readUInt16BE(4) : header.readUInt16LE(4);
    if (major !== 2) throw new CaptureError(`unsupported: pcap version ${major}`, 4);
    // The upper bits tell of a frame check sequence, which the IP header's own length makes irrelevant.
    this.#linkType = this.#u32(header, 20) & LINK_TYPE_MASK;
    this.#started = true;
    if (this.#package === undefined) return;
    const normalised = Buffer.from(header);
    if (variant.bigEndian) normalised.writeUInt32BE(MAGIC.micro, 0);
    else normalised.writeUInt32LE(MAGIC.micro, 0);
    this.#package.write(normalised);
  }

  /** The record whose header is at `at`, and whose octets are `start` to `end`. */
  #record(bytes: Buffer, at: number, start: number, end: number): void {
    const originalLength = this.#u32(bytes, at + 12);
    this.#hand(bytes, start, end, originalLength, this.#u32(bytes, at), this.#u32(bytes, at + 4));
  }

  #hand(bytes: Buffer, start: number, end: number, originalLength: number, seconds: number, fraction: number): void {
    const micros = this.#nano ? Math.floor(fraction / 1000) : fraction;
    this.#sink.onRecord(bytes, start, end, originalLength, this.#linkType, seconds, micros);
  }

  /** Whole records as the package knows them. */
  #normalised(records: Buffer): Buffer {
    if (this.#headerLength === RECORD_HEADER_LENGTH) return records;
    const pieces: Buffer[] = [];
    for (let at = 0; at < records.length;) {
      const data = at + this.#headerLength;
      const end = data + this.#u32(records, at + 8);
      pieces.push(records.subarray(at, at + RECORD_HEADER_LENGTH), records.subarray(data, end));
      at = end;
    }
    return Buffer.concat(pieces);
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}

interface Variant {
  readonly bigEndian: boolean;
  readonly nano: boolean;
  readonly isModified: boolean;
}

function variantOf(head: Buffer): Variant | undefined {
  if (head.length < 4) return undefined;
  for (const bigEndian of [false, true]) {
    const magic = bigEndian ? head.readUInt32BE(0) : head.readUInt32LE(0);
    const isModified = magic === MAGIC.modified;
    if (isModified || magic === MAGIC.micro || magic === MAGIC.nano) {
      return { bigEndian, nano: magic === MAGIC.nano, isModified };
    }
  }
  return undefined;
}

const MAGIC = { micro: 0xa1b2c3d4, nano: 0xa1b23c4d, modified: 0xa1b2cd34 } as const;
const FILE_HEADER_LENGTH = 24;
const RECORD_HEADER_LENGTH = 16;
const MODIFIED_HEADER_LENGTH = 24;
const LINK_TYPE_MASK = 0x03ffffff;
const EMPTY: Buffer = Buffer.alloc(0);
