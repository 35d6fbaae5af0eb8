/**
 * From an IP packet to the IP packet inside it: IP-in-IP (RFC 2003), IPv6 in IPv4 (RFC 4213), GRE (RFC 2784, 2890, and
 * PPTP's RFC 2637), ERSPAN, EtherIP (RFC 3378), MPLS in IP (RFC 4023), VXLAN (RFC 7348) and its GPE, Geneve (RFC 8926),
 * GTP-U (3GPP TS 29.281), Teredo (RFC 4380), L2TP (RFC 2661, RFC 3931), MPLS in UDP (RFC 7510), WCCP, TZSP. Only captures need it: the kernel unwraps for the live path.
 * `IpOutline` is what the sources know of an IP header; addresses and TCP are the engine's affair.
 */
import { ETHERTYPE, afterEtherType, afterEthernet, afterLlc, afterMpls, afterPpp, ipAt } from './ether.ts';
import { findWirelessPayload } from './wireless.ts';

/** One reused object: the outline of the IP packet last pointed at. */
export class IpOutline {
  version = 0;
  bytes: Uint8Array = NOTHING;
  /** Offset of the IP header. */
  start = 0;
  /** End of the packet by its own length, which may lie behind the captured octets. */
  end = 0;
  /** Captures on sending hosts show a length of 0 where the device would segment (TSO): the packet is what was captured. */
  lengthMissing = false;
  /** Upper-layer protocol, behind any extension headers. */
  protocol = 0;
  /** Offset of the upper layer. */
  payload = 0;
  fragmented = false;
  /** Offset of an IPv6 fragment header; 0 when there is none. */
  fragmentHeader = 0;

  /** Offset of the source address; the destination follows it. */
  get addresses(): number {
    return this.start + (this.version === 4 ? 12 : 8);
  }

  get addressLength(): number {
    return this.version === 4 ? 4 : 16;
  }

  /** Of the upper layer, where it is one that has ports. */
  get srcPort(): number {
    return u16(this.bytes, this.payload);
  }

  get dstPort(): number {
    return u16(this.bytes, this.payload + 2);
  }

  /** Points at the packet at `at`; false when its header is not whole. `end` is the end of what was captured. */
  read(bytes: Uint8Array, at: number, end: number): boolean {
    this.bytes = bytes;
    this.start = at;
    this.version = bytes[at]! >> 4;
    this.fragmented = false;
    this.fragmentHeader = 0;
    return this.version === 4 ? this.#readV4(bytes, at, end) : this.#readV6(bytes, at, end);
  }

  /** Has the packet end with the captured octets, `end`, where they hold a whole TCP header; false where they do not. */
  shorten(bytes: Uint8Array, end: number): boolean {
    if (this.fragmented || this.protocol !== PROTOCOL.tcp || end - this.payload < 20) return false;
    if (end - this.payload < (bytes[this.payload + 12]! >> 4) * 4) return false;
    const [field, length] = this.version === 4 ? [2, end - this.start] : [4, end - this.start - 40];
    bytes[this.start + field] = length >> 8;
    bytes[this.start + field + 1] = length & 0xff;
    this.end = end;
    return true;
  }

  #readV4(bytes: Uint8Array, at: number, end: number): boolean {
    const headerLength = (bytes[at]! & 0x0f) * 4;
    const totalLength = u16(bytes, at + 2);
    if (headerLength < 20 || end - at < headerLength) return false;
    this.lengthMissing = totalLength === 0;
    this.end = totalLength === 0 ? end : at + totalLength;
    if (totalLength !== 0 && totalLength < headerLength) return false;
    this.fragmented = (u16(bytes, at + 6) & 0x3fff) !== 0;
    this.protocol = bytes[at + 9]!;
    this.payload = at + headerLength;
    return true;
  }

  #readV6(bytes: Uint8Array, at: number, end: number): boolean {
    const payloadLength = u16(bytes, at + 4);
    this.lengthMissing = payloadLength === 0;
    this.end = payloadLength === 0 ? end : at + 40 + payloadLength;
    this.protocol = bytes[at + 6]!;
    this.payload = at + 40;
    for (let headers = 0; headers < MAX_EXTENSION_HEADERS; headers++) {
      if (end - this.payload < 8) return true;
      const length = bytes[this.payload + 1]!;
      switch (this.protocol) {
        case PROTOCOL.hopByHop:
        case PROTOCOL.routing:
        case PROTOCOL.destinationOptions:
        case PROTOCOL.mobility:
          this.protocol = bytes[this.payload]!;
          this.payload += 8 + length * 8;
          break;
        case PROTOCOL.authentication:
          this.protocol = bytes[this.payload]!;
          this.payload += (length + 2) * 4;
          break;
        case PROTOCOL.fragment:
          this.fragmentHeader = this.payload;
          this.fragmented = (u16(bytes, this.payload + 2) & 0xfff9) !== 0;
          if (this.fragmented) return true;
          this.protocol = bytes[this.payload]!;
          this.payload += 8;
          break;
        default:
          return true;
      }
    }
    return true;
  }
}

/** Offset of the IP header inside the packet, whose captured octets end at `end`; -1 when it is no tunnel. */
export function innerIp(ip: IpOutline, bytes: Uint8Array, end: number): number {
  const at = ip.payload;
  if (at >= end) return -1;
  switch (ip.protocol) {
    case PROTOCOL.ipv4:
    case PROTOCOL.ipv6:
      return ipAt(bytes, at, end);
    case PROTOCOL.gre:
      return afterGre(bytes, at, end);
    case PROTOCOL.mpls:
      return afterMpls(bytes, at, end);
    case PROTOCOL.etherIp:
      return afterEthernet(bytes, at + 2, end);
    case PROTOCOL.udp:
      return end - at < 16 ? -1 : afterUdp(u16(bytes, at), u16(bytes, at + 2), bytes, at + 8, end);
    default:
      return -1;
  }
}

/** | C . K S . . version | protocol type 2 | then checksum 4, key 4, sequence 4 (version 1: acknowledgment 4). */
function afterGre(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1;
  const flags = u16(bytes, at);
  const type = u16(bytes, at + 2);
  let next = at + 4;
  if (flags & 0xc000) next += 4;
  if (flags & 0x2000) next += 4;
  if (flags & 0x1000) next += 4;
  if ((flags & 0x0007) === 1) return afterPpp(bytes, flags & 0x0080 ? next + 4 : next, end);
  if ((flags & 0x4007) !== 0) return -1;
  // ERSPAN without a sequence number is type I, which has no header of its own.
  if (type === ETHERTYPE.erspan2) return afterEthernet(bytes, flags & 0x1000 ? next + 8 : next, end);
  if (type === ETHERTYPE.erspan3) {
    if (end - next < 12) return -1;
    return afterEthernet(bytes, bytes[next + 11]! & 0x01 ? next + 20 : next + 12, end);
  }
  if (type === WCCP) return ipAt(bytes, bytes[next]! >> 4 === 4 ? next : next + 4, end);
  return afterEtherType(type, bytes, next, end);
}

function afterUdp(sourcePort: number, port: number, bytes: Uint8Array, at: number, end: number): number {
  if (port === PORT.vxlan || port === PORT.vxlanLinux) {
    return (bytes[at]! & 0x08) === 0 ? -1 : afterEthernet(bytes, at + 8, end);
  }
  if (port === PORT.vxlanGpe) return afterVxlanGpe(bytes, at, end);
  if (port === PORT.geneve) {
    // | version 2, option length 6 | flags 8 | protocol type 16 | VNI 24 | reserved 8 | options |
    if (bytes[at]! >> 6 !== 0) return -1;
    return afterEtherType(u16(bytes, at + 2), bytes, at + 8 + (bytes[at]! & 0x3f) * 4, end);
  }
  if (port === PORT.mpls) return afterMpls(bytes, at, end);
  if (port === PORT.tzsp) return afterTzsp(bytes, at, end);
  if (port === PORT.l2tp || sourcePort === PORT.l2tp) return afterL2tp(bytes, at, end);
  if (port === PORT.gtpUser || sourcePort === PORT.gtpUser) return afterGtpUser(bytes, at, end);
  if (port === PORT.teredo || sourcePort === PORT.teredo) return afterTeredo(bytes, at, end);
  return -1;
}

function afterVxlanGpe(bytes: Uint8Array, at: number, end: number): number {
  if ((bytes[at]! & 0x04) === 0) return afterEthernet(bytes, at + 8, end);
  const next = bytes[at + 3]!;
  if (next === 1 || next === 2) return ipAt(bytes, at + 8, end);
  return next === 3 ? afterEthernet(bytes, at + 8, end) : -1;
}

/** Version 1, protocol type GTP, message G-PDU; optional fields, then extension headers of 4-octet units. */
function afterGtpUser(bytes: Uint8Array, at: number, end: number): number {
  if ((bytes[at]! & 0xf0) !== 0x30 || bytes[at + 1] !== GTP_G_PDU) return -1;
  let next = at + 8;
  if (bytes[at]! & 0x07) {
    if (end - next < 4) return -1;
    let extension = bytes[at]! & 0x04 ? bytes[next + 3]! : 0;
    next += 4;
    while (extension !== 0) {
      const length = next < end ? bytes[next]! * 4 : 0;
      if (length === 0 || end - next < length) return -1;
      extension = bytes[next + length - 1]!;
      next += length;
    }
  }
  return ipAt(bytes, next, end);
}

/** RFC 2661 §3.1: | T L . . S . O P . . . . version | (length 2) | tunnel 2 | session 2 | (Ns 2, Nr 2) | (offset 2, pad) |. */
function afterL2tp(bytes: Uint8Array, at: number, end: number): number {
  const flags = u16(bytes, at);
  if ((flags & L2TP.control) !== 0) return -1;
  // RFC 3931 §4.1.2: | flags 2 | reserved 2 | session 4 |, here without a cookie.
  if ((flags & 0x000f) === 3) return afterEthernet(bytes, at + 8, end);
  if ((flags & 0x000f) !== 2) return -1;
  let next = at + 6;
  if (flags & L2TP.length) next += 2;
  if (flags & L2TP.sequence) next += 4;
  if (flags & L2TP.offset) next += end - next < 2 ? 2 : 2 + u16(bytes, next);
  return afterPpp(bytes, next, end);
}

/** | version 1 | type 1 | protocol 2 | tagged fields, to the end tag | the frame |. */
function afterTzsp(bytes: Uint8Array, at: number, end: number): number {
  const protocol = u16(bytes, at + 2);
  let next = at + 4;
  while (next < end && bytes[next] !== TZSP.end) next += bytes[next] === TZSP.padding ? 1 : 2 + (bytes[next + 1] ?? 0);
  if (protocol === TZSP.ethernet) return afterEthernet(bytes, next + 1, end);
  if (protocol !== TZSP.ieee80211) return -1;
  const llc = findWirelessPayload(false, bytes, next + 1, end);
  return llc < 0 ? -1 : afterLlc(bytes, llc, end);
}

/** Authentication (0x0001) and origin (0x0000) indications may precede the IPv6 packet. */
function afterTeredo(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  if (end - next >= 4 && u16(bytes, next) === 0x0001) next += 13 + bytes[next + 2]! + bytes[next + 3]!;
  if (end - next >= 8 && u16(bytes, next) === 0x0000) next += 8;
  return next < end && bytes[next]! >> 4 === 6 ? ipAt(bytes, next, end) : -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** IANA protocol numbers. */
export const PROTOCOL = {
  hopByHop: 0,
  ipv4: 4,
  tcp: 6,
  udp: 17,
  ipv6: 41,
  routing: 43,
  fragment: 44,
  gre: 47,
  authentication: 51,
  destinationOptions: 60,
  etherIp: 97,
  mobility: 135,
  mpls: 137,
} as const;
/** IANA service ports; Linux's VXLAN default is older than the registration. */
const PORT = {
  l2tp: 1701,
  gtpUser: 2152,
  teredo: 3544,
  vxlan: 4789,
  vxlanGpe: 4790,
  geneve: 6081,
  mpls: 6635,
  vxlanLinux: 8472,
  tzsp: 37008,
} as const;
const NOTHING = new Uint8Array(0);
const L2TP = { control: 0x8000, length: 0x4000, sequence: 0x0800, offset: 0x0200 } as const;
const TZSP = { padding: 0, end: 1, ethernet: 1, ieee80211: 18 } as const;
/** The protocol type of WCCP's GRE (draft-mclaggan-wccp-v2rev1), with a redirect header or without. */
const WCCP = 0x883e;
const GTP_G_PDU = 0xff;
const MAX_EXTENSION_HEADERS = 16;
