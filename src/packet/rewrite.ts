/**
 * Makes another packet of one of a flow's own: same addresses and ports, other sequence number, flags and payload, full
 * checksums (the kernel takes a rewritten packet as it is). This is how alerts and resets travel without raw sockets.
 */
import { writeIpv4Checksum, writeTcpChecksum } from './checksum.ts';
import type { IpView } from './ip.ts';
import type { TcpView } from './tcp.ts';

export interface Rewrite {
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly payload: Uint8Array;
  /** Keeps the TCP options (a data segment needs its timestamps); a reset goes without. */
  readonly keepOptions: boolean;
}

/** IPv4 options and IPv6 extension headers are left out: the new packet asks nothing of the routers on its way. */
export function rewriteSegment(ip: IpView, tcp: TcpView, rewrite: Rewrite): Uint8Array {
  const ipLength = ip.version === 4 ? 20 : 40;
  const tcpLength = rewrite.keepOptions ? tcp.dataStart - tcp.start : 20;
  const total = ipLength + tcpLength + rewrite.payload.length;
  const out = new Uint8Array(total);
  out.set(ip.bytes.subarray(ip.start, ip.start + ipLength), 0);
  out.set(ip.bytes.subarray(tcp.start, tcp.start + tcpLength), ipLength);
  out.set(rewrite.payload, ipLength + tcpLength);
  const view = new DataView(out.buffer);
  view.setUint32(ipLength + 4, rewrite.seq);
  view.setUint32(ipLength + 8, rewrite.ack);
  view.setUint8(ipLength + 12, (tcpLength / 4) << 4);
  view.setUint8(ipLength + 13, rewrite.flags);
  view.setUint16(ipLength + 18, 0); // urgent pointer
  if (ip.version === 4) {
    view.setUint8(0, 0x45);
    view.setUint16(2, total);
    writeIpv4Checksum(out, 0, ipLength);
    writeTcpChecksum(out, 12, 4, ipLength);
  } else {
    view.setUint16(4, total - ipLength);
    view.setUint8(6, ip.protocol);
    writeTcpChecksum(out, 8, 16, ipLength);
  }
  return out;
}
