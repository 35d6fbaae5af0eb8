/**
 * The pcap format (draft-ietf-opsawg-pcap): a normaliser in front of the pcap-parser package, which reads microsecond
 * files only, ends silently on truncation and believes every length. The normaliser finds the file's variant and each
 * record's bounds, so that the package sees only whole records of a file it understands; what is wrong becomes a
 * `CaptureError`. Fractions of nanosecond files pass through the package untouched and are scaled behind it.
 *
 *   | magic 4 | version 2+2 | zone 4 | accuracy 4 | snap length 4 | link type 4 |   then records
 *   | seconds 4 | fraction 4 | captured length 4 | original length 4 | captured octets |
 *
 * In files of the modified kind, which Alexey Kuznetsov's libpcap and FRITZ!Box routers write, the header of a record
 * goes on with | interface 4 | protocol 2 | packet type 1 | padding 1 |.
 */
import { EventEmitter } from 'node:events';

import pcapParser from 'pcap-parser';

import { CaptureError, MAX_FRAME_LENGTH } from './record.ts';
import type { CaptureReader, RecordSink } from './record.ts';

export class PcapReader implements CaptureReader {
  readonly #sink: RecordSink;
  readonly #input = new ParserInput();
  /** The beginning of a structure whose end is in a later chunk. */
  #pending: Buffer = EMPTY;
  /** Offset in the file of the first octet of `#pending`. */
  #at = 0;
  #bigEndian = false;
  #nano = false;
  #headerLength = RECORD_HEADER_LENGTH;
  #started = false;
  #linkType = 0;
  #seconds = 0;
  #fraction = 0;
  #originalLength = 0;
  #slab: Buffer = EMPTY;

  constructor(sink: RecordSink) {
    this.#sink = sink;
    pcapParser
      .parse(this.#input)
      .on('packetHeader', (header) => {
        this.#seconds = header.timestampSeconds;
        this.#fraction = header.timestampMicroseconds;
        this.#originalLength = header.originalLength;
      })
      .on('packetData', (data) => this.#onPacketData(data))
      .on('error', (error) => {
        throw new CaptureError(error.message, this.#at);
      });
  }

  /** True when `head`, at least 4 octets, begins a pcap file of a variant that is read here. */
  static recognises(head: Buffer): boolean {
    return variantOf(head) !== undefined;
  }

  write(chunk: Buffer): void {
    const bytes = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    let from = 0;
    if (!this.#started) {
      if (bytes.length < FILE_HEADER_LENGTH) {
        this.#pending = Buffer.from(bytes);
        return;
      }
      this.#begin(bytes.subarray(0, FILE_HEADER_LENGTH));
      from = FILE_HEADER_LENGTH;
      this.#at = from;
    }
    let to = from;
    let bad: CaptureError | undefined;
    while (bytes.length - to >= this.#headerLength) {
      const capturedLength = this.#u32(bytes, to + 8);
      if (capturedLength > MAX_FRAME_LENGTH) {
        bad = new CaptureError(
          `damaged: a record claims ${capturedLength} octets (at most ${MAX_FRAME_LENGTH})`,
          this.#at + to - from,
        );
        break;
      }
      if (bytes.length - to - this.#headerLength < capturedLength) break;
      to += this.#headerLength + capturedLength;
    }
    if (to > from) this.#input.emit('data', this.#normalised(bytes.subarray(from, to)));
    this.#at += to - from;
    this.#pending = Buffer.from(bytes.subarray(to));
    this.#sink.onChunkEnd();
    if (bad !== undefined) throw bad;
  }

  end(): void {
    if (!this.#started) throw new CaptureError('cut short: the file header ends', this.#pending.length);
    const present = this.#pending.length;
    if (present === 0) return;
    const head = this.#headerLength;
    const needed = present < head ? head : head + this.#u32(this.#pending, 8);
    throw new CaptureError(`cut short: a record has ${present} of at least ${needed} octets`, this.#at);
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
    const normalised = Buffer.from(header);
    if (variant.bigEndian) normalised.writeUInt32BE(MAGIC.micro, 0);
    else normalised.writeUInt32LE(MAGIC.micro, 0);
    this.#started = true;
    this.#input.emit('data', normalised);
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

  #onPacketData(data: Buffer): void {
    if (data.buffer !== this.#slab.buffer) this.#slab = Buffer.from(data.buffer);
    const start = data.byteOffset;
    const micros = this.#nano ? Math.floor(this.#fraction / 1000) : this.#fraction;
    const end = start + data.length;
    this.#sink.onRecord(this.#slab, start, end, this.#originalLength, this.#linkType, this.#seconds, micros);
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}

/** What the package takes for its input stream: chunks are pushed in by `emit`, and handled before `emit` returns. */
class ParserInput extends EventEmitter {
  pause(): void {}
  resume(): void {}
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
