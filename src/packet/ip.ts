/**
 * A view of one IP header, IPv4 (RFC 791) or IPv6 with its extension headers (RFC 8200): where the addresses, the
 * transport header and the packet's end are. One object a worker is pointed at packet after packet. Knows no transport.
 */

/** What `IpView.parse` found. */
export const IP = {
  ok: 0,
  /** Lengths that do not fit the bytes or the standard. */
  malformed: 1,
  /** A fragment: conntrack reassembles before the queue, so one that arrives here cannot be judged. */
  fragment: 2,
  /** Fewer bytes than the header announces. */
  truncated: 3,
  /** More extension headers than an honest sender uses, or one whose length nobody here knows. */
  unknownHeader: 4,
} as const;
export type IpOutcome = (typeof IP)[keyof typeof IP];

export class IpView {
  bytes: Uint8Array = EMPTY;
  /** First octet of the IP header, of the transport header, and one past the packet's last octet. */
  start = 0;
  transport = 0;
  end = 0;
  version: 4 | 6 = 4;
  protocol = 0;
  /** Where the source address begins; the destination follows it. */
  addresses = 0;
  /** 4 or 16. */
  addressLength = 4;

  parse(bytes: Uint8Array, start: number, end: number): IpOutcome {
    this.bytes = bytes;
    this.start = start;
    if (end - start < 20) return IP.malformed;
    const version = bytes[start]! >> 4;
    if (version === 4) return this.#parseV4(bytes, start, end);
    if (version === 6) return this.#parseV6(bytes, start, end);
    return IP.malformed;
  }

  #parseV4(b: Uint8Array, start: number, end: number): IpOutcome {
    const headerLength = (b[start]! & 0xf) * 4;
    // A sender's own capture shows 0 where the device will split the packet and fill the length in.
    const totalLength = u16(b, start + 2) || end - start;
    if (headerLength < 20 || totalLength < headerLength) return IP.malformed;
    this.version = 4;
    this.protocol = b[start + 9]!;
    this.addresses = start + 12;
    this.addressLength = 4;
    this.transport = start + headerLength;
    this.end = start + totalLength;
    if (this.end > end) return IP.truncated;
    return (u16(b, start + 6) & 0x3fff) === 0 ? IP.ok : IP.fragment; // more-fragments and offset
  }

  #parseV6(b: Uint8Array, start: number, end: number): IpOutcome {
    if (end - start < 40) return IP.malformed;
    const payloadLength = u16(b, start + 4) || end - start - 40;
    this.version = 6;
    this.addresses = start + 8;
    this.addressLength = 16;
    this.end = start + 40 + payloadLength;
    if (this.end > end) return IP.truncated;
    let next = b[start + 6]!;
    let at = start + 40;
    for (let headers = 0; headers <= MAX_EXTENSION_HEADERS; headers++) {
      if (!EXTENSION_HEADERS.has(next)) {
        this.protocol = next;
        this.transport = at;
        return IP.ok;
      }
      if (at + 8 > this.end) return IP.malformed;
      if (next === FRAGMENT && (u16(b, at + 2) & 0xfff9) !== 0) {
        this.protocol = b[at]!;
        return IP.fragment;
      }
      const length = next === FRAGMENT ? 8 : next === AUTHENTICATION ? (b[at + 1]! + 2) * 4 : (b[at + 1]! + 1) * 8;
      next = b[at]!;
      at += length;
      if (at > this.end) return IP.malformed;
    }
    return IP.unknownHeader;
  }
}

/** RFC 8200 §4 and IANA "IPv6 Extension Header Types": those that a TCP header may follow. */
const FRAGMENT = 44;
const AUTHENTICATION = 51;
const EXTENSION_HEADERS = new Set([0, 43, FRAGMENT, AUTHENTICATION, 60, 135, 139, 140]);
const MAX_EXTENSION_HEADERS = 8;
const EMPTY = new Uint8Array(0);

function u16(b: Uint8Array, at: number): number {
  return (b[at]! << 8) | b[at + 1]!;
}
