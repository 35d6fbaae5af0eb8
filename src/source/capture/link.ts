/**
 * From a frame to its IP packet: link layers by their LINKTYPE number (tcpdump.org/linktypes.html). What may lie between
 * them and IP is ether.ts's, what capturing systems put in front pseudo-header.ts's, tunnels inside IP are tunnel.ts's;
 * what an IP packet holds nobody here knows.
 */
import { afterEtherType, afterEthernet, afterLlc, afterPpp, afterPppoe, ipAt } from './ether.ts';
import {
  afterEnc,
  afterJuniper,
  afterNflog,
  afterPflog,
  afterPktap,
  afterPpi,
  afterWirelessMonitor,
} from './pseudo-header.ts';
import type { Inner } from './pseudo-header.ts';
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
      return findInner(afterPpi(bytes, at, end), bytes, at, end);
    case LINKTYPE.pktap:
    case LINKTYPE.pktapOfApple:
      return findInner(afterPktap(bytes, at, end), bytes, at, end);
    case LINKTYPE.juniperEthernet:
      return findInner(afterJuniper(bytes, at, end), bytes, at, end);
    case LINKTYPE.pflog:
      return afterPflog(bytes, at, end);
    case LINKTYPE.enc:
      return afterEnc(bytes, at, end);
    case LINKTYPE.tokenRing:
      return afterTokenRing(bytes, at, end);
    case LINKTYPE.frameRelay:
      return afterFrameRelay(bytes, at, end);
    case LINKTYPE.ipOverInfiniband:
      // A global routing header (40), the EtherType, two reserved octets (RFC 4391 §6).
      return end - at < 44 ? -1 : afterEtherType(u16(bytes, at + 40), bytes, at + 44, end);
    case LINKTYPE.prism:
    case LINKTYPE.ieee80211Avs: {
      const frame = afterWirelessMonitor(bytes, at, end);
      return frame < 0 ? -1 : findIp(LINKTYPE.ieee80211, bytes, frame, end);
    }
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

/** A BSD address family in the byte order of the host that captured, or (loop) of the network. */
function afterAddressFamily(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 4) return -1;
  const family = bytes[at]! | bytes[at + 1]! ? u16le(bytes, at) : u16(bytes, at + 2);
  return ADDRESS_FAMILIES.has(family) ? ipAt(bytes, at + 4, end) : -1;
}

/** | access control 1 | frame control 1 | destination 6 | source 6 | (routing information) | LLC |. */
function afterTokenRing(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 16) return -1;
  const isRouted = (bytes[at + 8]! & 0x80) !== 0;
  return afterLlc(bytes, at + 14 + (isRouted ? bytes[at + 14]! & 0x1f : 0), end);
}

/** An address of two to four octets, then (RFC 2427) control and NLPID, or Cisco's EtherType. */
function afterFrameRelay(bytes: Uint8Array, at: number, end: number): number {
  let next = at;
  while (next < Math.min(end, at + 4) && (bytes[next]! & 0x01) === 0) next++;
  next++;
  if (end - next < 2) return -1;
  if (bytes[next] !== 0x03) return afterEtherType(u16(bytes, next), bytes, next + 2, end);
  if (bytes[next + 1] === 0) next++;
  const network = bytes[next + 1];
  if (network === NLPID.ipv4 || network === NLPID.ipv6) return ipAt(bytes, next + 2, end);
  if (network !== NLPID.snap || end - next < 7) return -1;
  return afterEtherType(u16(bytes, next + 5), bytes, next + 7, end);
}

/** What a capturing system puts in front it puts there once: a header behind such a header is none. */
function findInner(inner: Inner | undefined, bytes: Uint8Array, at: number, end: number): number {
  if (inner === undefined || inner.at <= at || IN_FRONT.has(inner.linkType)) return -1;
  return findIp(inner.linkType, bytes, inner.at, end);
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
  tokenRing: 6,
  ppp: 9,
  rawBsdOs: 12,
  rawOpenBsd: 14,
  pppSerial: 50,
  pppEthernet: 51,
  raw: 101,
  ciscoHdlc: 104,
  ieee80211: 105,
  frameRelay: 107,
  loop: 108,
  enc: 109,
  linuxSll: 113,
  pflog: 117,
  prism: 119,
  ieee80211Radiotap: 127,
  pktapOfApple: 149,
  ieee80211Avs: 163,
  pppd: 166,
  juniperEthernet: 178,
  ppi: 192,
  pppWithDirection: 204,
  ipv4: 228,
  ipv6: 229,
  nflog: 239,
  ipOverInfiniband: 242,
  pktap: 258,
  linuxSll2: 276,
} as const;
/** Network layer protocol identifiers (ISO/IEC TR 9577). */
const NLPID = { snap: 0x80, ipv6: 0x8e, ipv4: 0xcc } as const;
const IN_FRONT: ReadonlySet<number> = new Set([
  LINKTYPE.ppi,
  LINKTYPE.pktap,
  LINKTYPE.pktapOfApple,
  LINKTYPE.juniperEthernet,
]);
const KNOWN_LINK_TYPES: ReadonlySet<number> = new Set(Object.values(LINKTYPE));

/** AF_INET everywhere; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS. */
const ADDRESS_FAMILIES: ReadonlySet<number> = new Set([2, 10, 24, 28, 30]);
