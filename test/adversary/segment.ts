/** One TCP segment between the two ends of a connection of the adversary's, as an IPv4 packet. */
import { writeIpv4Checksum, writeTcpChecksum } from '../../src/packet/checksum.ts';

export interface Ends {
  readonly clientPort: number;
  readonly serverPort: number;
}

export interface SegmentParts {
  readonly fromClient: boolean;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly data?: Uint8Array;
  /** A multiple of four octets. */
  readonly options?: Uint8Array;
}

export const CLIENT_ADDRESS = Uint8Array.of(10, 1, 2, 3);
export const SERVER_ADDRESS = Uint8Array.of(198, 51, 100, 7);

export function segment(ends: Ends, parts: SegmentParts): Buffer {
  const { fromClient, data = NOTHING, options = NOTHING } = parts;
  const out = Buffer.alloc(40 + options.length + data.length);
  out[0] = 0x45;
  out.writeUInt16BE(out.length, 2);
  out[8] = 64;
  out[9] = 6;
  out.set(fromClient ? CLIENT_ADDRESS : SERVER_ADDRESS, 12);
  out.set(fromClient ? SERVER_ADDRESS : CLIENT_ADDRESS, 16);
  out.writeUInt16BE(fromClient ? ends.clientPort : ends.serverPort, 20);
  out.writeUInt16BE(fromClient ? ends.serverPort : ends.clientPort, 22);
  out.writeUInt32BE(parts.seq, 24);
  out.writeUInt32BE(parts.ack, 28);
  out[32] = (5 + options.length / 4) << 4;
  out[33] = parts.flags;
  out.writeUInt16BE(0xffff, 34);
  out.set(options, 40);
  out.set(data, 40 + options.length);
  writeIpv4Checksum(out, 0, 20);
  writeTcpChecksum(out, 12, 4, 20);
  return out;
}

const NOTHING = new Uint8Array(0);
