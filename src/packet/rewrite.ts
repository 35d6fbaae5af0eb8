/**
 * Makes another packet of one of a flow's own: same addresses and ports, other sequence number, flags and payload, full
 * checksums (the kernel takes a rewritten packet as it is). This is how alerts and resets travel without raw sockets.
 */
import { copyOf } from '../bytes/copy.ts';
import { writeIpv4Checksum, writeTcpChecksum, writeUdpChecksum } from './checksum.ts';
import type { IpView } from './ip.ts';
import { PROTOCOL_TCP, type TcpView } from './tcp.ts';
import { PROTOCOL_UDP, UDP_HEADER_LENGTH, type UdpView } from './udp.ts';

/** A copy of a packet's headers: what a held packet leaves behind for a rewriting that may come later. */
export interface SegmentHeaders {
  readonly version: 4 | 6;
  /** The base header alone: options and extension headers ask routers for things that the new packet does not need. */
  readonly ip: Uint8Array;
  readonly tcp: Uint8Array;
}

export interface Rewrite {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  /** Keeps the TCP options (a data segment needs its timestamps); a reset goes without. */
  readonly keepOptions: boolean;
}

export function copyHeaders(ip: IpView, tcp: TcpView): SegmentHeaders {
  return {
    version: ip.version,
    ip: copyOf(ip.bytes, ip.start, ip.start + baseHeaderLength(ip.version)),
    tcp: copyOf(tcp.bytes, tcp.start, tcp.dataStart),
  };
}

export function rewriteSegment(headers: SegmentHeaders, rewrite: Rewrite): Uint8Array {
  const ipLength = headers.ip.length;
  const tcpLength = rewrite.keepOptions ? headers.tcp.length : 20;
  const out = new Uint8Array(ipLength + tcpLength + rewrite.payload.length);
  out.set(headers.ip, 0);
  out.set(headers.tcp.subarray(0, tcpLength), ipLength);
  out.set(rewrite.payload, ipLength + tcpLength);
  const view = new DataView(out.buffer);
  view.setUint32(ipLength + 4, rewrite.seq);
  view.setUint32(ipLength + 8, rewrite.ack);
  view.setUint8(ipLength + 12, (tcpLength / 4) << 4);
  view.setUint8(ipLength + 13, rewrite.flags);
  view.setUint16(ipLength + 18, 0); // urgent pointer
  if (headers.version === 4) {
    view.setUint8(0, 0x45);
    view.setUint16(2, out.length);
    writeIpv4Checksum(out, 0, ipLength);
    writeTcpChecksum(out, 12, 4, ipLength);
  } else {
    view.setUint16(4, out.length - ipLength);
    view.setUint8(6, PROTOCOL_TCP);
    writeTcpChecksum(out, 8, 16, ipLength);
  }
  return out;
}

/** The same datagram without its data: what is left to be refused, and harmless where it is not. */
export function emptyDatagram(ip: IpView, udp: UdpView): Uint8Array {
  const ipLength = baseHeaderLength(ip.version);
  const out = new Uint8Array(ipLength + UDP_HEADER_LENGTH);
  out.set(ip.bytes.subarray(ip.start, ip.start + ipLength), 0);
  out.set(udp.bytes.subarray(udp.start, udp.dataStart), ipLength);
  const view = new DataView(out.buffer);
  view.setUint16(ipLength + 4, UDP_HEADER_LENGTH);
  if (ip.version === 4) {
    view.setUint8(0, 0x45);
    view.setUint16(2, out.length);
    writeIpv4Checksum(out, 0, ipLength);
    writeUdpChecksum(out, 12, 4, ipLength);
  } else {
    view.setUint16(4, UDP_HEADER_LENGTH);
    view.setUint8(6, PROTOCOL_UDP);
    writeUdpChecksum(out, 8, 16, ipLength);
  }
  return out;
}

function baseHeaderLength(version: 4 | 6): number {
  return version === 4 ? 20 : 40;
}
