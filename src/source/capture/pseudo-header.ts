/**
 * What capturing systems put in front of a packet, each with a LINKTYPE of its own: where the packet, or the frame of
 * another link type, begins. -1 where the header is not whole or is not what it should be.
 */
import { ipAt } from './ether.ts';

/** Where a frame begins, and of which LINKTYPE it is. */
export interface Inner {
  readonly linkType: number;
  readonly at: number;
}

/** PPI (CACE Technologies): | version 1 | flags 1 | length 2 | LINKTYPE 4 |, little endian. */
export function afterPpi(bytes: Uint8Array, at: number, end: number): Inner | undefined {
  return end - at < 8 ? undefined : { linkType: u16le(bytes, at + 4), at: at + u16le(bytes, at + 2) };
}

/** Apple's PKTAP: | length 4 | next type 4 | DLT 4 | … |, little endian. */
export function afterPktap(bytes: Uint8Array, at: number, end: number): Inner | undefined {
  if (end - at < 12 || bytes[at + 2] !== 0 || bytes[at + 3] !== 0) return undefined;
  return { linkType: u16le(bytes, at + 8), at: at + u16le(bytes, at) };
}

/** OpenBSD's pf: | length 1 | address family 1 | … |, padded to four octets. */
export function afterPflog(bytes: Uint8Array, at: number, end: number): number {
  return end - at < 4 ? -1 : ipAt(bytes, at + ((bytes[at]! + 3) & ~3), end);
}

/** OpenBSD's enc: | address family 4 | SPI 4 | flags 4 |. */
export function afterEnc(bytes: Uint8Array, at: number, end: number): number {
  return ipAt(bytes, at + 12, end);
}

/** Prism (| message code 4 | length 4 | …) and AVS (| magic and version 4 | length 4 | …): offset of the 802.11 frame. */
export function afterWirelessMonitor(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 8) return -1;
  const isAvs = bytes[at] === 0x80 && bytes[at + 1] === 0x21;
  const length = bytes[at + 4] === 0 && bytes[at + 5] === 0 ? u16(bytes, at + 6) : u16le(bytes, at + 4);
  return !isAvs && bytes[at + 3] !== 0x44 && bytes[at] !== 0x44 ? -1 : at + length;
}

/** Juniper: | magic 3 | flags 1 | (extensions: length 2, octets) |; offset of the frame, or of an IP packet without one. */
export function afterJuniper(bytes: Uint8Array, at: number, end: number): Inner | undefined {
  if (end - at < 6 || bytes[at] !== 0x4d || bytes[at + 1] !== 0x47 || bytes[at + 2] !== 0x43) return undefined;
  const flags = bytes[at + 3]!;
  const frame = flags & JUNIPER_EXTENDED ? at + 6 + u16(bytes, at + 4) : at + 4;
  return flags & JUNIPER_NO_LINK_LAYER
    ? { linkType: LINKTYPE_RAW, at: frame + 4 }
    : { linkType: LINKTYPE_ETHERNET, at: frame };
}

/** | family 1 | version 1 | resource 2 | then attributes: length 2, type 2 in the host's byte order, padded to 4. */
export function afterNflog(bytes: Uint8Array, at: number, end: number): number {
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

const NFULA_PAYLOAD = 9;
const JUNIPER_NO_LINK_LAYER = 0x02;
const JUNIPER_EXTENDED = 0x80;
const LINKTYPE_ETHERNET = 1;
const LINKTYPE_RAW = 101;
