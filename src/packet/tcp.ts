/**
 * A view of one TCP header (RFC 9293 §3.1): ports, numbers, flags, where the data lies, and the options that decide
 * whether a receiver would take the segment. One reused object a worker. Knows no connection.
 */
import { u32 } from '../bytes/words.ts';
import type { IpView } from './ip.ts';

export const TCP_FLAG = { fin: 0x01, syn: 0x02, rst: 0x04, psh: 0x08, ack: 0x10, urg: 0x20 } as const;
export const PROTOCOL_TCP = 6;

/** IANA "TCP Option Kind Numbers". */
export const OPTION = {
  end: 0,
  noOperation: 1,
  maximumSegmentSize: 2,
  windowScale: 3,
  sackPermitted: 4,
  timestamps: 8,
  md5: 19,
  userTimeout: 28,
  authentication: 29,
  fastOpen: 34,
  accurateEcn0: 172,
  accurateEcn1: 174,
} as const;

export class TcpView {
  bytes: Uint8Array = EMPTY;
  start = 0;
  srcPort = 0;
  dstPort = 0;
  /** SEG.SEQ and SEG.ACK. */
  seq = 0;
  ack = 0;
  flags = 0;
  window = 0;
  /** First octet of the data and one past the last. */
  dataStart = 0;
  dataEnd = 0;
  /** RFC 7323 timestamps; meaningful when `hasTimestamps`. */
  hasTimestamps = false;
  tsVal = 0;
  /** RFC 2385 or RFC 5925: receivers without the key drop the segment. */
  hasSignature = false;

  /** False when the header does not fit its bytes. */
  parse(ip: IpView): boolean {
    const b = ip.bytes;
    const at = ip.transport;
    if (ip.end - at < 20) return false;
    const headerLength = (b[at + 12]! >> 4) * 4;
    if (headerLength < 20 || at + headerLength > ip.end) return false;
    this.bytes = b;
    this.start = at;
    this.srcPort = (b[at]! << 8) | b[at + 1]!;
    this.dstPort = (b[at + 2]! << 8) | b[at + 3]!;
    this.seq = u32(b, at + 4);
    this.ack = u32(b, at + 8);
    this.flags = b[at + 13]!;
    this.window = (b[at + 14]! << 8) | b[at + 15]!;
    this.dataStart = at + headerLength;
    this.dataEnd = ip.end;
    this.hasTimestamps = false;
    this.hasSignature = false;
    return headerLength === 20 || this.#options(b, at + 20, this.dataStart);
  }

  get dataLength(): number {
    return this.dataEnd - this.dataStart;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  #options(b: Uint8Array, from: number, to: number): boolean {
    for (let at = from; at < to;) {
      const kind = b[at]!;
      if (kind === OPTION.end) return true;
      if (kind === OPTION.noOperation) {
        at++;
        continue;
      }
      const length = at + 1 < to ? b[at + 1]! : 0;
      if (length < 2 || at + length > to) return false;
      if (kind === OPTION.timestamps && length === 10) {
        this.hasTimestamps = true;
        this.tsVal = u32(b, at + 2);
      } else if (kind === OPTION.md5 || kind === OPTION.authentication) {
        this.hasSignature = true;
      }
      at += length;
    }
    return true;
  }
}

const EMPTY = new Uint8Array(0);
