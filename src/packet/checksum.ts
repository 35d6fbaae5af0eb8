/**
 * The Internet checksum (RFC 1071) of IPv4 headers, and of TCP and UDP with their pseudo-header (RFC 9293 §3.1, RFC 768,
 * RFC 8200 §8.1).
 */
import type { IpView } from './ip.ts';
import { PROTOCOL_TCP } from './tcp.ts';
import { PROTOCOL_UDP, type UdpView } from './udp.ts';

/** True when the segment's checksum fits: the sum over everything, the checksum included, is all ones. */
export function tcpChecksumFits(ip: IpView): boolean {
  return fold(sumWith(PROTOCOL_TCP, ip.bytes, ip.addresses, ip.addressLength, ip.transport, ip.end)) === 0xffff;
}

/** The same for a datagram. RFC 768: a sender may leave the checksum out, over IPv4. */
export function udpChecksumFits(ip: IpView, udp: UdpView): boolean {
  const { bytes, start } = udp;
  if (ip.version === 4 && bytes[start + 6] === 0 && bytes[start + 7] === 0) return true;
  return fold(sumWith(PROTOCOL_UDP, bytes, ip.addresses, ip.addressLength, start, udp.dataEnd)) === 0xffff;
}

/** Fills in the checksum of the TCP segment at `transport`; the field is taken as zero. */
export function writeTcpChecksum(b: Uint8Array, addresses: number, addressLength: number, transport: number): void {
  b[transport + 16] = 0;
  b[transport + 17] = 0;
  writeU16(b, transport + 16, ~fold(sumWith(PROTOCOL_TCP, b, addresses, addressLength, transport, b.length)) & 0xffff);
}

/** Fills in the checksum of the datagram at `transport`; the field is taken as zero. RFC 768: zero is sent as all ones. */
export function writeUdpChecksum(b: Uint8Array, addresses: number, addressLength: number, transport: number): void {
  b[transport + 6] = 0;
  b[transport + 7] = 0;
  const checksum = ~fold(sumWith(PROTOCOL_UDP, b, addresses, addressLength, transport, b.length)) & 0xffff;
  writeU16(b, transport + 6, checksum || 0xffff);
}

/** Fills in the checksum of the IPv4 header of `length` octets at `start`. */
export function writeIpv4Checksum(b: Uint8Array, start: number, length: number): void {
  b[start + 10] = 0;
  b[start + 11] = 0;
  writeU16(b, start + 10, ~fold(sum(b, start, start + length)) & 0xffff);
}

function sumWith(
  protocol: number,
  b: Uint8Array,
  addresses: number,
  addressLength: number,
  transport: number,
  end: number,
): number {
  return sum(b, addresses, addresses + 2 * addressLength) + protocol + (end - transport) + sum(b, transport, end);
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
