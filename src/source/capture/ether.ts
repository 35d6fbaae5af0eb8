/**
 * What may lie between a link layer and IP: EtherTypes, VLAN tags (802.1Q, 802.1ad), provider backbone bridges (802.1ah),
 * redundancy tags (IEC 62439-3), Cisco's metadata, MPLS (RFC 3032), PPPoE (RFC 2516), PPP (RFC 1661), LLC/SNAP. All are
 * functions from an offset to the offset of the IP header, -1 when there is none; nothing is copied.
 */

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
      case ETHERTYPE.redundancy:
        // | path and size 2 | sequence number 2 | EtherType 2 |
        if (end - next < 6) return -1;
        type = u16(bytes, next + 4);
        next += 6;
        continue;
      case ETHERTYPE.ciscoMetadata: {
        // | version 1 | length 1, in words | options | EtherType 2 |
        if (end - next < 2) return -1;
        const length = 2 + 4 * bytes[next + 1]!;
        if (end - next < length + 2) return -1;
        type = u16(bytes, next + length);
        next += length + 2;
        continue;
      }
      case ETHERTYPE.ciscoTimestamp:
        // | timestamp 6 | EtherType 2 |
        if (end - next < 8) return -1;
        type = u16(bytes, next + 6);
        next += 8;
        continue;
      case ETHERTYPE.backboneService:
        // | flags 1 | service identifier 3 | and the customer's frame |
        return afterEthernet(bytes, next + 4, end);
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

/** Frames within frames end with the octets that headers may take: whatever a frame holds, few are followed. */
export function afterEthernet(bytes: Uint8Array, at: number, end: number): number {
  const reach = Math.min(end, at + MAX_HEADERS);
  return reach - at < 14 ? -1 : afterEtherType(u16(bytes, at + 12), bytes, at + 14, reach);
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

export function afterPppoe(bytes: Uint8Array, at: number, end: number): number {
  return end - at < 6 || bytes[at] !== 0x11 || bytes[at + 1] !== 0 ? -1 : afterPpp(bytes, at + 6, end);
}

export function afterLlc(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 3) return -1;
  if (bytes[at] === 0x06 && bytes[at + 1] === 0x06) return ipAt(bytes, at + 3, end);
  if (end - at < 8 || bytes[at] !== 0xaa || bytes[at + 1] !== 0xaa) return -1;
  const organisation = (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!;
  if (organisation !== 0x000000 && organisation !== 0x0000f8) return -1;
  const type = u16(bytes, at + 6);
  return type < 0x0600 ? -1 : afterEtherType(type, bytes, at + 8, end);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

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
  redundancy: 0x892f,
  ciscoMetadata: 0x8909,
  ciscoTimestamp: 0x8988,
  backboneService: 0x88e7,
  qinq: 0x9100,
  qinqOld: 0x9200,
} as const;
/** PPP DLL protocol numbers. */
const PPP = { ipv4: 0x0021, ipv6: 0x0057, mpls: 0x0281 } as const;
const MAX_TAGS = 8;
/** Octets of link layers ahead of IP. */
const MAX_HEADERS = 1024;
