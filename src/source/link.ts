/**
 * From a frame to its IP packet: link layers by their LINKTYPE number (tcpdump.org/linktypes.html), and what may lie
 * between them and IP: VLAN tags (802.1Q, 802.1ad), MPLS (RFC 3032), PPPoE (RFC 2516), PPP (RFC 1661), LLC/SNAP.
 * All are functions from an offset to the offset of the IP header, -1 when there is none; nothing is copied.
 * Tunnels inside IP are tunnel.ts's, and what an IP packet holds nobody here knows.
 */
import { findWirelessPayload } from './wireless.ts';

/** Offset of the IP header in the frame `at`–`end` of `bytes`; -1 when it carries no IP. */
export function findIp(linkType: number, bytes: Uint8Array, at: number, end: number): number {
  switch (linkType) {
    case LINKTYPE.ethernet:
      return afterEthernet(bytes, at, end);
    case LINKTYPE.null:
    case LINKTYPE.loop:
      return afterAddressFamily(bytes, at, end);
    case LINKTYPE.raw:
    case LINKTYPE.rawOpenBsd:
    case LINKTYPE.rawBsdOs:
    case LINKTYPE.ipv4:
    case LINKTYPE.ipv6:
      return ipAt(bytes, at, end);
    case LINKTYPE.linuxSll:
      return end - at < 16 ? -1 : afterEtherType(u16(bytes, at + 14), bytes, at + 16, end);
    case LINKTYPE.linuxSll2:
      return end - at < 20 ? -1 : afterEtherType(u16(bytes, at), bytes, at + 20, end);
    case LINKTYPE.ppp:
    case LINKTYPE.pppSerial:
      return afterPpp(bytes, at, end);
    case LINKTYPE.pppd:
    case LINKTYPE.pppWithDirection:
      return afterPpp(bytes, at + 1, end);
    case LINKTYPE.pppEthernet:
      return afterPppoe(bytes, at, end);
    case LINKTYPE.ciscoHdlc:
      return end - at < 4 ? -1 : afterEtherType(u16(bytes, at + 2), bytes, at + 4, end);
    case LINKTYPE.nflog:
      return afterNflog(bytes, at, end);
    case LINKTYPE.ppi:
      return end - at < 8 ? -1 : findIp(bytes[at + 4]! | (bytes[at + 5]! << 8), bytes, at + u16le(bytes, at + 2), end);
    case LINKTYPE.ieee80211:
    case LINKTYPE.ieee80211Radiotap: {
      const llc = findWirelessPayload(linkType === LINKTYPE.ieee80211Radiotap, bytes, at, end);
      return llc < 0 ? -1 : afterLlc(bytes, llc, end);
    }
    default:
      return -1;
  }
}

/** True for link types that `findIp` can read. */
export function isKnownLinkType(linkType: number): boolean {
  return KNOWN_LINK_TYPES.has(linkType);
}

/** Offset of what follows an EtherType whose payload is at `at`. */
export function afterEtherType(etherType: number, bytes: Uint8Array, at: number, end: number): number {
  let type = etherType;
  let next = at;
  for (let tags = 0; tags < MAX_TAGS; tags++) {
    switch (type) {
      case ETHERTYPE.ipv4:
      case ETHERTYPE.ipv6:
        return ipAt(bytes, next, end);
      case ETHERTYPE.vlan:
      case ETHERTYPE.serviceVlan:
      case ETHERTYPE.qinq:
      case ETHERTYPE.qinqOld:
        if (end - next < 4) return -1;
        type = u16(bytes, next + 2);
        next += 4;
        continue;
      case ETHERTYPE.vnTag:
        if (end - next < 6) return -1;
        type = u16(bytes, next + 4);
        next += 6;
        continue;
      case ETHERTYPE.mpls:
      case ETHERTYPE.mplsMulticast:
        return afterMpls(bytes, next, end);
      case ETHERTYPE.pppoeSession:
        return afterPppoe(bytes, next, end);
      case ETHERTYPE.ppp:
        return afterPpp(bytes, next, end);
      case ETHERTYPE.transparentEthernet:
        return afterEthernet(bytes, next, end);
      default:
        // IEEE 802.3: below 0x0600 the field is a length, and LLC follows.
        return type < 0x0600 ? afterLlc(bytes, next, end) : -1;
    }
  }
  return -1;
}

export function afterEthernet(bytes: Uint8Array, at: number, end: number): number {
  return end - at < 14 ? -1 : afterEtherType(u16(bytes, at + 12), bytes, at + 14, end);
}

/** A label stack; below it IP, or Ethernet with or without the control word of RFC 4385. */
export function afterMpls(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  for (;;) {
    if (end - next < 4) return -1;
    const bottom = (bytes[next + 2]! & 0x01) !== 0;
    next += 4;
    if (bottom) break;
  }
  const ip = ipAt(bytes, next, end);
  if (ip >= 0) return ip;
  if (end - next >= 4 && bytes[next]! >> 4 === 0) {
    const behindControlWord = afterEthernet(bytes, next + 4, end);
    if (behindControlWord >= 0) return behindControlWord;
  }
  return afterEthernet(bytes, next, end);
}

/** With or without HDLC address and control, and with either form of the protocol field (RFC 1661 §6.5). */
export function afterPpp(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  if (end - next < 2) return -1;
  if (bytes[next] === 0xff && bytes[next + 1] === 0x03) next += 2;
  else if ((bytes[next] === 0x0f || bytes[next] === 0x8f) && bytes[next + 1] === 0x00) {
    return end - next < 4 ? -1 : afterEtherType(u16(bytes, next + 2), bytes, next + 4, end);
  }
  if (end - next < 2) return -1;
  const compressed = (bytes[next]! & 0x01) !== 0;
  const protocol = compressed ? bytes[next]! : u16(bytes, next);
  next += compressed ? 1 : 2;
  if (protocol === PPP.ipv4 || protocol === PPP.ipv6) return ipAt(bytes, next, end);
  return protocol === PPP.mpls ? afterMpls(bytes, next, end) : -1;
}

/** `at` when an IPv4 or IPv6 header can begin there, by its version and room for its fixed part. */
export function ipAt(bytes: Uint8Array, at: number, end: number): number {
  if (at >= end) return -1;
  const version = bytes[at]! >> 4;
  if (version === 4) return end - at >= 20 ? at : -1;
  return version === 6 && end - at >= 40 ? at : -1;
}

function afterPppoe(bytes: Uint8Array, at: number, end: number): number {
  return end - at < 6 || bytes[at] !== 0x11 || bytes[at + 1] !== 0 ? -1 : afterPpp(bytes, at + 6, end);
}

function afterLlc(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 3) return -1;
  if (bytes[at] === 0x06 && bytes[at + 1] === 0x06) return ipAt(bytes, at + 3, end);
  if (end - at < 8 || bytes[at] !== 0xaa || bytes[at + 1] !== 0xaa) return -1;
  const organisation = (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!;
  if (organisation !== 0x000000 && organisation !== 0x0000f8) return -1;
  const type = u16(bytes, at + 6);
  return type < 0x0600 ? -1 : afterEtherType(type, bytes, at + 8, end);
}

/** A BSD address family in the byte order of the host that captured, or (loop) of the network. */
function afterAddressFamily(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1;
  const family = bytes[at]! | bytes[at + 1]! ? u16le(bytes, at) : u16(bytes, at + 2);
  return ADDRESS_FAMILIES.has(family) ? ipAt(bytes, at + 4, end) : -1;
}

/** | family 1 | version 1 | resource 2 | then attributes: length 2, type 2 in the host's byte order, padded to 4. */
function afterNflog(bytes: Uint8Array, at: number, end: number): number {
  let next = at + 4;
  while (end - next >= 4) {
    const little = u16le(bytes, next);
    const big = u16(bytes, next);
    const swapped = little < 4 || little > end - next;
    const length = swapped ? big : little;
    const type = swapped ? u16(bytes, next + 2) : u16le(bytes, next + 2);
    if (length < 4 || length > end - next) return -1;
    if ((type & 0x7fff) === NFULA_PAYLOAD) return ipAt(bytes, next + 4, next + length);
    next += (length + 3) & ~3;
  }
  return -1;
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function u16le(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8);
}

/** LINKTYPE_ values. */
export const LINKTYPE = {
  null: 0,
  ethernet: 1,
  ppp: 9,
  rawBsdOs: 12,
  rawOpenBsd: 14,
  pppSerial: 50,
  pppEthernet: 51,
  raw: 101,
  ciscoHdlc: 104,
  ieee80211: 105,
  loop: 108,
  linuxSll: 113,
  ieee80211Radiotap: 127,
  pppd: 166,
  ppi: 192,
  pppWithDirection: 204,
  ipv4: 228,
  ipv6: 229,
  nflog: 239,
  linuxSll2: 276,
} as const;
const KNOWN_LINK_TYPES: ReadonlySet<number> = new Set(Object.values(LINKTYPE));

/** IEEE 802 EtherTypes. */
export const ETHERTYPE = {
  ipv4: 0x0800,
  transparentEthernet: 0x6558,
  vlan: 0x8100,
  ipv6: 0x86dd,
  ppp: 0x880b,
  mpls: 0x8847,
  mplsMulticast: 0x8848,
  pppoeSession: 0x8864,
  serviceVlan: 0x88a8,
  erspan2: 0x88be,
  erspan3: 0x22eb,
  vnTag: 0x8926,
  qinq: 0x9100,
  qinqOld: 0x9200,
} as const;
/** PPP DLL protocol numbers. */
const PPP = { ipv4: 0x0021, ipv6: 0x0057, mpls: 0x0281 } as const;
/** AF_INET everywhere; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const ADDRESS_FAMILIES: ReadonlySet<number> = new Set([2, 10, 24, 28, 30]);
const NFULA_PAYLOAD = 9;
const MAX_TAGS = 8;
