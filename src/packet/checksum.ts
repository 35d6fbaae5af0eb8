/** The Internet checksum (RFC 1071) of IPv4 headers and of TCP with its pseudo-header (RFC 9293 §3.1, RFC 8200 §8.1). */
import type { IpView } from './ip.ts';
import { PROTOCOL_TCP } from './tcp.ts';

/** True when the segment's checksum fits: the sum over everything, the checksum included, is all ones. */
export function tcpChecksumFits(ip: IpView): boolean {
  return fold(tcpSum(ip.bytes, ip.addresses, ip.addressLength, ip.transport, ip.end)) === 0xffff;
}

/** Fills in the checksum of the TCP segment at `transport`; the field is taken as zero. */
export function writeTcpChecksum(b: Uint8Array, addresses: number, addressLength: number, transport: number): void {
  b[transport + 16] = 0;
  b[transport + 17] = 0;
  writeU16(b, transport + 16, ~fold(tcpSum(b, addresses, addressLength, transport, b.length)) & 0xffff);
}

/** Fills in the checksum of the IPv4 header of `length` octets at `start`. */
export function writeIpv4Checksum(b: Uint8Array, start: number, length: number): void {
  b[start + 10] = 0;
  b[start + 11] = 0;
  writeU16(b, start + 10, ~fold(sum(b, start, start + length)) & 0xffff);
}

function tcpSum(b: Uint8Array, addresses: number, addressLength: number, transport: number, end: number): number {
  return sum(b, addresses, addresses + 2 * addressLength) + PROTOCOL_TCP + (end - transport) + sum(b, transport, end);
}

/** At most 2^16 octets are summed at a time, so the total stays far below 2^53. */
function sum(b: Uint8Array, from: number, to: number): number {
  let total = 0;
  let at = from;
  for (const even = from + ((to - from) & ~1); at < even; at += 2) total += (b[at]! << 8) | b[at + 1]!;
  return at < to ? total + (b[at]! << 8) : total;
}

function fold(total: number): number {
  let folded = total;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return folded;
}

function writeU16(b: Uint8Array, at: number, value: number): void {
  b[at] = value >> 8;
  b[at + 1] = value;
}
