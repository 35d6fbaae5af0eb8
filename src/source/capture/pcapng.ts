/**
 * The pcapng format (draft-ietf-opsawg-pcapng): sections in either byte order, interfaces with their own link type and
 * clock, enhanced, simple and (obsolete) packet blocks. Decryption Secrets Blocks with a key log are passed on as they
 * come. Every other block is skipped by its length, without being kept.
 *
 *   | block type 4 | total length 4 | body, padded to 4 | total length 4 |
 */
import { CaptureError, MAX_FRAME_LENGTH } from './record.ts';
import type { CaptureReader, RecordSink } from './record.ts';
import type { KeyLogSink } from '../key-log.ts';

export class PcapngReader implements CaptureReader {
  readonly #sink: RecordSink;
  readonly #keyLog: KeyLogSink | undefined;
  #pending: Buffer = EMPTY;
  /** Offset in the file of the next octet that has not been dealt with. */
  #at = 0;
  /** Octets of a block's body that are still to be skipped. */
  #skip = 0;
  /** Of these, octets of a key log that are still to come. */
  #keyLogLeft = 0;
  #bigEndian = false;
  #started = false;
  #interfaces: Interface[] = [];
  #seconds = 0;
  #micros = 0;

  /** `keyLog` is told where each block's log ends; none of its octets may be kept. */
  constructor(sink: RecordSink, keyLog?: KeyLogSink) {
    this.#sink = sink;
    this.#keyLog = keyLog;
  }

  /** True when `head`, at least 4 octets, begins a section header. */
  static recognises(head: Buffer): boolean {
    return head.length >= 4 && head.readUInt32BE(0) === BLOCK.sectionHeader;
  }

  write(chunk: Buffer): void {
    let bytes = chunk;
    if (this.#skip > 0) {
      const skipped = Math.min(this.#skip, bytes.length);
      this.#passKeyLog(bytes.subarray(0, skipped));
      this.#skip -= skipped;
      this.#at += skipped;
      bytes = bytes.subarray(skipped);
    }
    if (this.#pending.length > 0) bytes = Buffer.concat([this.#pending, bytes]);
    let at = 0;
    try {
      while (at < bytes.length) {
        const taken = this.#block(bytes, at);
        if (taken === 0) break;
        at += taken;
        this.#at += taken;
      }
    } finally {
      this.#pending = Buffer.from(bytes.subarray(at));
      this.#sink.onChunkEnd();
    }
  }

  end(): void {
    if (this.#skip > 0) throw new CaptureError(`cut short: a block lacks ${this.#skip} octets`, this.#at);
    if (this.#pending.length > 0) {
      throw new CaptureError(`cut short: a block has only ${this.#pending.length} octets`, this.#at);
    }
    if (!this.#started) throw new CaptureError('cut short: the section header ends', this.#at);
  }

  /** Deals with the block at `at`; octets taken, 0 when more are needed. */
  #block(bytes: Buffer, at: number): number {
    if (bytes.length - at < 12) return 0;
    if (bytes.readUInt32BE(at) === BLOCK.sectionHeader) this.#beginSection(bytes, at);
    else if (!this.#started) throw new CaptureError('not a pcapng file', this.#at);
    const type = this.#u32(bytes, at);
    // Some writers forgot to count the padding of the body: lengths are rounded up, as other readers do.
    const length = (this.#u32(bytes, at + 4) + 3) & ~3;
    if (length < 12) throw new CaptureError(`damaged: a block claims ${length >>> 0} octets`, this.#at);
    if (type === BLOCK.decryptionSecrets && this.#keyLog !== undefined) return this.#secrets(bytes, at, length >>> 0);
    if (!KEPT_BLOCKS.has(type)) return this.#skipBlock(bytes, at, length);
    if (length > MAX_BLOCK_LENGTH) {
      throw new CaptureError(`damaged: a block claims ${length} octets (at most ${MAX_BLOCK_LENGTH})`, this.#at);
    }
    if (bytes.length - at < length) return 0;
    const trailer = this.#u32(bytes, at + length - 4);
    if (((trailer + 3) & ~3) !== length) {
      throw new CaptureError(`damaged: a block of ${length} octets ends with the length ${trailer}`, this.#at);
    }
    const end = at + length - 4;
    if (type === BLOCK.interfaceDescription) this.#interface(bytes, at + 8, end);
    else if (type === BLOCK.enhancedPacket) this.#enhancedPacket(bytes, at + 8, end);
    else if (type === BLOCK.simplePacket) this.#simplePacket(bytes, at + 8, end);
    else if (type === BLOCK.packet) this.#packet(bytes, at + 8, end);
    return length;
  }

  #skipBlock(bytes: Buffer, at: number, length: number): number {
    const unsigned = length >>> 0;
    const present = Math.min(unsigned, bytes.length - at);
    this.#skip = unsigned - present;
    return present;
  }

  /** | block header 8 | secrets type 4 | secrets length 4 | secrets, padded | options |, of any length. */
  #secrets(bytes: Buffer, at: number, length: number): number {
    if (length < 20) throw new CaptureError('damaged: a secrets block is too short', this.#at);
    if (bytes.length - at < 16) return 0;
    if (this.#u32(bytes, at + 8) === TLS_KEY_LOG) {
      const secretsLength = this.#u32(bytes, at + 12);
      if (secretsLength > length - 20) {
        throw new CaptureError(
          `damaged: a secrets block of ${length} octets claims ${secretsLength} of secrets`,
          this.#at,
        );
      }
      this.#keyLogLeft = secretsLength;
    }
    const present = this.#skipBlock(bytes, at, length);
    this.#passKeyLog(bytes.subarray(at + 16, at + present));
    return present;
  }

  /** The next octets of a secrets block. */
  #passKeyLog(bytes: Buffer): void {
    if (this.#keyLogLeft === 0) return;
    const length = Math.min(this.#keyLogLeft, bytes.length);
    this.#keyLogLeft -= length;
    this.#keyLog?.feed(bytes.subarray(0, length));
    if (this.#keyLogLeft === 0) this.#keyLog?.end();
  }

  #beginSection(bytes: Buffer, at: number): void {
    const magic = bytes.readUInt32BE(at + 8);
    if (magic !== BYTE_ORDER_MAGIC && magic !== BYTE_ORDER_MAGIC_SWAPPED) {
      throw new CaptureError('damaged: a section header has no byte-order magic', this.#at);
    }
    this.#bigEndian = magic === BYTE_ORDER_MAGIC;
    this.#started = true;
    this.#interfaces = [];
  }

  #interface(bytes: Buffer, at: number, end: number): void {
    if (end - at < 8) throw new CaptureError('damaged: an interface description is too short', this.#at);
    const described: Interface = {
      linkType: this.#u16(bytes, at),
      snapLength: this.#u32(bytes, at + 4),
      unitsPerSecond: 1_000_000,
      offsetSeconds: 0,
    };
    for (let option = at + 8; end - option >= 4;) {
      const code = this.#u16(bytes, option);
      const length = this.#u16(bytes, option + 2);
      const value = option + 4;
      if (code === OPTION.end || end - value < length) break;
      if (code === OPTION.tsresol && length === 1) described.unitsPerSecond = unitsPerSecond(bytes[value]!);
      if (code === OPTION.tsoffset && length === 8) {
        described.offsetSeconds = Number(this.#bigEndian ? bytes.readBigInt64BE(value) : bytes.readBigInt64LE(value));
      }
      option = value + ((length + 3) & ~3);
    }
    this.#interfaces.push(described);
  }

  /** | interface 4 | timestamp high 4, low 4 | captured length 4 | original length 4 | octets | options | */
  #enhancedPacket(bytes: Buffer, at: number, end: number): void {
    if (end - at < 20) throw new CaptureError('damaged: a packet block is too short', this.#at);
    this.#stamped(bytes, at, end, this.#interfaceAt(this.#u32(bytes, at)));
  }

  /** As the enhanced block, but for | interface 2 | drops 2 | in place of its first word. */
  #packet(bytes: Buffer, at: number, end: number): void {
    if (end - at < 20) throw new CaptureError('damaged: a packet block is too short', this.#at);
    this.#stamped(bytes, at, end, this.#interfaceAt(this.#u16(bytes, at)));
  }

  #stamped(bytes: Buffer, at: number, end: number, on: Interface): void {
    this.#time(on, this.#u32(bytes, at + 4), this.#u32(bytes, at + 8));
    const capturedLength = this.#u32(bytes, at + 12);
    if (capturedLength > end - at - 20) {
      throw new CaptureError(
        `damaged: a packet block of ${end - at + 12} octets claims a frame of ${capturedLength}`,
        this.#at,
      );
    }
    this.#deliver(bytes, at + 20, capturedLength, this.#u32(bytes, at + 16), on);
  }

  /** | original length 4 | octets |: of the first interface, without a time of its own. */
  #simplePacket(bytes: Buffer, at: number, end: number): void {
    if (end - at < 4) throw new CaptureError('damaged: a packet block is too short', this.#at);
    const on = this.#interfaceAt(0);
    const originalLength = this.#u32(bytes, at);
    let capturedLength = Math.min(originalLength, end - at - 4);
    if (on.snapLength > 0) capturedLength = Math.min(capturedLength, on.snapLength);
    this.#deliver(bytes, at + 4, capturedLength, originalLength, on);
  }

  #deliver(bytes: Buffer, start: number, length: number, originalLength: number, on: Interface): void {
    const end = start + length;
    this.#sink.onRecord(bytes, start, end, originalLength, on.linkType, this.#seconds, this.#micros);
  }

  #interfaceAt(index: number): Interface {
    const found = this.#interfaces[index];
    if (found === undefined) {
      throw new CaptureError(`damaged: a packet names interface ${index}, which was not described`, this.#at);
    }
    return found;
  }

  /** Every step is exact in doubles: the high word first, its remainder with the low word then. */
  #time(on: Interface, high: number, low: number): void {
    const units = on.unitsPerSecond;
    const upper = high * 4_294_967_296;
    const rest = (upper % units) + low;
    const fraction = rest % units;
    const seconds = (upper - (upper % units)) / units + (rest - fraction) / units + on.offsetSeconds;
    this.#seconds = Math.min(Math.max(seconds, 0), 0xffffffff);
    this.#micros = Math.floor((fraction / units) * 1_000_000 + 1e-6);
  }

  #u16(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt16BE(at) : bytes.readUInt16LE(at);
  }

  #u32(bytes: Buffer, at: number): number {
    return this.#bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
  }
}

interface Interface {
  linkType: number;
  snapLength: number;
  unitsPerSecond: number;
  offsetSeconds: number;
}

/** `if_tsresol`: the top bit chooses between powers of two and of ten. */
function unitsPerSecond(resolution: number): number {
  return resolution & 0x80 ? 2 ** (resolution & 0x7f) : 10 ** resolution;
}

/** Block type codes (draft-ietf-opsawg-pcapng, section 10.1). */
const BLOCK = {
  interfaceDescription: 0x00000001,
  packet: 0x00000002,
  simplePacket: 0x00000003,
  enhancedPacket: 0x00000006,
  decryptionSecrets: 0x0000000a,
  sectionHeader: 0x0a0d0d0a,
} as const;
const OPTION = { end: 0, tsresol: 9, tsoffset: 14 } as const;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const BYTE_ORDER_MAGIC_SWAPPED = 0x4d3c2b1a;
/** Secrets type (section 4.7). */
const TLS_KEY_LOG = 0x544c534b;
const KEPT_BLOCKS: ReadonlySet<number> = new Set(
  Object.values(BLOCK).filter((type) => type !== BLOCK.decryptionSecrets),
);
/** A frame with generous options and comments. */
const MAX_BLOCK_LENGTH = MAX_FRAME_LENGTH + 65_536 * 4;
const EMPTY: Buffer = Buffer.alloc(0);
