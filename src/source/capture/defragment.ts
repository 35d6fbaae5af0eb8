/**
 * Puts IPv4 (RFC 791 §3.2) and IPv6 (RFC 8200 §4.5) fragments of captures together; on the live path the kernel has
 * done so before the queue. Bounded in datagrams, octets and time. Fragments that overlap with different octets make
 * the whole datagram go, as do IPv6 fragments that overlap at all but exactly (RFC 5722): guessing which copy a receiver
 * would take is what evasions live on. Knows nothing of what the datagrams hold.
 */
import type { IpOutline } from './tunnel.ts';

export class Defragmenter {
  readonly #datagrams = new Map<string, Datagram>();
  /** Datagrams that were given up: too many at once, too old, or with conflicting overlaps. */
  discarded = 0;

  /**
   * Takes the fragment that `ip` points at, whose captured octets end at `end`. When it completes its datagram, returns
   * that as a packet without fragment fields, else undefined. `seconds` is the capture's time.
   */
  add(ip: IpOutline, bytes: Uint8Array, end: number, seconds: number): Buffer | undefined {
    const v4 = ip.version === 4;
    const payload = v4 ? ip.payload : ip.fragmentHeader + 8;
    const field = u16(bytes, v4 ? ip.start + 6 : ip.fragmentHeader + 2);
    const offset = v4 ? (field & 0x1fff) * 8 : field & 0xfff8;
    const more = v4 ? (field & 0x2000) !== 0 : (field & 0x0001) !== 0;
    const length = ip.end - payload;
    // Cut by the snap length, empty, or past what a datagram can have: never a part of the whole.
    if (ip.end > end || length <= 0 || offset + length > MAX_DATAGRAM || (more && length % 8 !== 0)) return undefined;

    const key = keyOf(ip, bytes);
    let datagram = this.#datagrams.get(key);
    if (datagram !== undefined && Math.abs(seconds - datagram.seconds) > TIMEOUT_SECONDS) {
      this.#discard(key);
      datagram = undefined;
    }
    if (datagram === undefined) {
      if (this.#datagrams.size >= MAX_DATAGRAMS) this.#discard(this.#datagrams.keys().next().value!);
      datagram = { seconds, head: undefined, parts: [], total: -1, received: 0, poisoned: false };
      this.#datagrams.set(key, datagram);
    }
    if (datagram.poisoned) return undefined;
    if (!insert(datagram, offset, Buffer.from(bytes.subarray(payload, ip.end)), more, v4)) {
      // The key stays, so that the rest of a conflicting datagram does not pass for a new one.
      datagram.poisoned = true;
      datagram.parts = [];
      this.discarded++;
      return undefined;
    }
    if (offset === 0) datagram.head ??= headOf(ip, bytes);
    if (datagram.head === undefined || datagram.received !== datagram.total) return undefined;
    this.#datagrams.delete(key);
    return assemble(datagram.head, datagram.parts, v4);
  }

  #discard(key: string): void {
    if (this.#datagrams.get(key)?.poisoned === false) this.discarded++;
    this.#datagrams.delete(key);
  }
}

interface Part {
  readonly offset: number;
  readonly octets: Buffer;
}

interface Datagram {
  readonly seconds: number;
  /** The header that precedes the payload, of the fragment at offset 0. */
  head: Buffer | undefined;
  /** In order, without overlaps. */
  parts: Part[];
  /** Octets of the whole payload; -1 until the last fragment came. */
  total: number;
  received: number;
  poisoned: boolean;
}

/** False when the fragment contradicts what came before it. */
function insert(datagram: Datagram, offset: number, octets: Buffer, more: boolean, v4: boolean): boolean {
  const end = offset + octets.length;
  if (!more) {
    if (datagram.total >= 0 && datagram.total !== end) return false;
    datagram.total = end;
  }
  if (datagram.total >= 0 && end > datagram.total) return false;
  let from = offset;
  const fresh: Part[] = [];
  for (const part of datagram.parts) {
    const partEnd = part.offset + part.octets.length;
    if (partEnd <= offset || part.offset >= end) continue;
    const exact = part.offset === offset && partEnd === end;
    if (!v4 && !exact) return false;
    const [low, high] = [Math.max(offset, part.offset), Math.min(end, partEnd)];
    const here = octets.subarray(low - offset, high - offset);
    if (!here.equals(part.octets.subarray(low - part.offset, high - part.offset))) return false;
    if (low > from) fresh.push({ offset: from, octets: octets.subarray(from - offset, low - offset) });
    from = high;
  }
  if (from < end) fresh.push({ offset: from, octets: octets.subarray(from - offset) });
  for (const part of fresh) datagram.received += part.octets.length;
  if (datagram.total >= 0 && datagram.received > datagram.total) return false;
  datagram.parts = [...datagram.parts, ...fresh].sort((a, b) => a.offset - b.offset);
  return datagram.parts.length <= MAX_FRAGMENTS;
}

/** The header up to the payload, for IPv6 without the fragment header, which names what follows it. */
function headOf(ip: IpOutline, bytes: Uint8Array): Buffer {
  if (ip.version === 4) return Buffer.from(bytes.subarray(ip.start, ip.payload));
  const head = Buffer.from(bytes.subarray(ip.start, ip.fragmentHeader));
  const protocol = bytes[ip.fragmentHeader]!;
  let next = 6;
  for (let at = 40; at < head.length; at += 8 + head[at + 1]! * 8) next = at;
  head[next] = protocol;
  return head;
}

function assemble(head: Buffer, parts: readonly Part[], v4: boolean): Buffer | undefined {
  const packet = Buffer.concat([head, ...parts.map((part) => part.octets)]);
  if (packet.length - (v4 ? 0 : 40) > 0xffff) return undefined;
  if (!v4) {
    packet.writeUInt16BE(packet.length - 40, 4);
    return packet;
  }
  packet.writeUInt16BE(packet.length, 2);
  packet.writeUInt16BE(0, 6);
  packet.writeUInt16BE(0, 10);
  let sum = 0;
  for (let at = 0; at < head.length; at += 2) sum += packet.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  packet.writeUInt16BE(~sum & 0xffff, 10);
  return packet;
}

/** RFC 791: source, destination, protocol, identification; RFC 8200: without the protocol. */
function keyOf(ip: IpOutline, bytes: Uint8Array): string {
  const from = (at: number, length: number): string =>
    Buffer.from(bytes.buffer, bytes.byteOffset + at, length).toString('latin1');
  if (ip.version === 6) return from(ip.start + 8, 32) + from(ip.fragmentHeader + 4, 4);
  return from(ip.start + 12, 8) + from(ip.start + 4, 2) + from(ip.start + 9, 1);
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** Datagrams in the making; the oldest goes when there are more. */
const MAX_DATAGRAMS = 256;
/** Parts of one datagram; more and it goes. */
const MAX_FRAGMENTS = 256;
const MAX_DATAGRAM = 65_535;
/** As Linux's ipfrag_time. */
const TIMEOUT_SECONDS = 30;
