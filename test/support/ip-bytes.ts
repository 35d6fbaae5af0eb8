/** IP packets that carry a TCP segment, field by field, with right checksums unless a test spoils them. */
import { IpView } from '../../src/packet/ip.ts';
import { TcpView } from '../../src/packet/tcp.ts';

export interface TcpFields {
  readonly srcPort?: number;
  readonly dstPort?: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly flags?: number;
  readonly window?: number;
  /** Padded with end-of-options to a multiple of four. */
  readonly options?: readonly number[];
  readonly data?: Uint8Array | string;
}

export function tcpSegment(fields: TcpFields = {}): Buffer {
  const given = fields.options ?? [];
  const options = Buffer.alloc(Math.ceil(given.length / 4) * 4);
  options.set(given);
  const data = Buffer.from(fields.data ?? '');
  const header = Buffer.alloc(20);
  header.writeUInt16BE(fields.srcPort ?? 51514, 0);
  header.writeUInt16BE(fields.dstPort ?? 443, 2);
  header.writeUInt32BE(fields.seq ?? 1, 4);
  header.writeUInt32BE(fields.ack ?? 2, 8);
  header[12] = (5 + options.length / 4) << 4;
  header[13] = fields.flags ?? 0x10;
  header.writeUInt16BE(fields.window ?? 0xffff, 14);
  return Buffer.concat([header, options, data]);
}

/** IPv4 (RFC 791) around `payload`, by a sum written here and not by the code under test. */
export function ipv4(
  payload: Uint8Array,
  fields: {
    options?: readonly number[];
    fragment?: number;
    protocol?: number;
    source?: string;
    destination?: string;
  } = {},
): Buffer {
  const options = Buffer.from(fields.options ?? []);
  const out = Buffer.alloc(20 + options.length);
  out[0] = 0x40 | (5 + options.length / 4);
  out.writeUInt16BE(out.length + payload.length, 2);
  out.writeUInt16BE(fields.fragment ?? 0x4000, 6);
  out[8] = 64;
  out[9] = fields.protocol ?? 6;
  out.set(dotted(fields.source ?? '10.1.2.3'), 12);
  out.set(dotted(fields.destination ?? '198.51.100.7'), 16);
  out.set(options, 20);
  out.writeUInt16BE(onesComplement(out), 10);
  const packet = Buffer.concat([out, payload]);
  if ((fields.protocol ?? 6) === 6 && payload.length >= 20) fillTcpChecksum(packet, out.length, out.subarray(12, 20));
  return packet;
}

/** IPv6 (RFC 8200); `headers` are extension headers, each with its own number and its octets after the first. */
export function ipv6(
  payload: Uint8Array,
  headers: readonly { readonly type: number; readonly rest: readonly number[] }[] = [],
  protocol = 6,
): Buffer {
  const chain = headers.map(({ rest }, i) => Buffer.from([headers[i + 1]?.type ?? protocol, ...rest]));
  const extensions = Buffer.concat(chain);
  const out = Buffer.alloc(40);
  out[0] = 0x60;
  out.writeUInt16BE(extensions.length + payload.length, 4);
  out[6] = headers[0]?.type ?? protocol;
  out[7] = 64;
  out.set(Buffer.from('20010db8000000000000000000000001', 'hex'), 8);
  out.set(Buffer.from('20010db8000000000000000000000002', 'hex'), 24);
  const packet = Buffer.concat([out, extensions, payload]);
  if (protocol === 6 && payload.length >= 20) fillTcpChecksum(packet, 40 + extensions.length, packet.subarray(8, 40));
  return packet;
}

export function viewIp(packet: Uint8Array): IpView {
  const ip = new IpView();
  ip.parse(packet, 0, packet.length);
  return ip;
}

export function viewTcp(packet: Uint8Array): TcpView {
  const tcp = new TcpView();
  tcp.parse(viewIp(packet));
  return tcp;
}

/** RFC 1071, bit by bit slower than any other way to do it. */
export function onesComplement(...pieces: readonly Uint8Array[]): number {
  const all = Buffer.concat(pieces);
  const even = all.length % 2 === 0 ? all : Buffer.concat([all, Buffer.alloc(1)]);
  let sum = 0;
  for (let at = 0; at < even.length; at += 2) {
    sum += even.readUInt16BE(at);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

function fillTcpChecksum(packet: Buffer, transport: number, addresses: Uint8Array): void {
  const length = packet.length - transport;
  packet.writeUInt16BE(0, transport + 16);
  const pseudo = Buffer.from([0, 0, 0, 6, 0, 0, length >> 8, length & 0xff]);
  packet.writeUInt16BE(onesComplement(addresses, pseudo, packet.subarray(transport)), transport + 16);
}

function dotted(address: string): number[] {
  return address.split('.').map(Number);
}
