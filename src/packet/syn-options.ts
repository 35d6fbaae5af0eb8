/**
 * Which options of a SYN or SYN/ACK (RFC 9293 §3.1) go on to the other end. An option that is agreed on there may give
 * sequence numbers another meaning, or carry the octets some other way: Multipath TCP (RFC 8684), TCP-ENO (RFC 8547),
 * SMC-R (RFC 7609). What is not known to leave the stream as it is becomes NOPs; the other end then answers as one that
 * never heard of it, and both fall back to plain TCP. Knows headers; when to ask is for others.
 */
import { copyOf } from '../bytes/copy.ts';
import { writeTcpChecksum } from './checksum.ts';
import type { IpView } from './ip.ts';
import { OPTION, type TcpView } from './tcp.ts';

/** The packet without them, from its IP header on, of the same length; undefined when it has none. */
export function withPlainOptions(ip: IpView, tcp: TcpView): Uint8Array | undefined {
  const [first, end] = [tcp.start + 20, tcp.dataStart];
  if (isPlain(tcp.bytes, first, end)) return undefined;
  const plain = plainOptions(tcp.bytes.subarray(first, end));
  const out = copyOf(ip.bytes, ip.start, ip.end);
  const transport = tcp.start - ip.start;
  out.set(plain, transport + 20);
  writeTcpChecksum(out, ip.addresses - ip.start, ip.addressLength, transport);
  return out;
}

/** Whether every option of the list at [start, end), whose lengths fit, may go on as it is. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  let at = start;
  while (at < end && bytes[at] !== OPTION.end) {
    if (!PLAIN.has(bytes[at]!)) return false;
    at += bytes[at] === OPTION.noOperation ? 1 : bytes[at + 1]!;
  }
  while (at < end && bytes[at] === OPTION.end) at++;
  return at >= end;
}

/** `options` is such a list. */
export function plainOptions(options: Uint8Array): Uint8Array {
  const out = copyOf(options);
  let at = 0;
  while (at < out.length && out[at] !== OPTION.end) {
    const kind = out[at]!;
    const length = kind === OPTION.noOperation ? 1 : out[at + 1]!;
    if (!PLAIN.has(kind)) out.fill(OPTION.noOperation, at, at + length);
    at += length;
  }
  // Nothing follows the end of the list, for whoever might read on.
  out.fill(OPTION.end, at);
  return out;
}

/**
 * Those that change nothing of what the octets are and where they belong, or whose effect the engine knows: a signature
 * (its segments are refused), and a cookie of Fast Open (RFC 7413).
 */
const PLAIN: ReadonlySet<number> = new Set([
  OPTION.noOperation,
  OPTION.maximumSegmentSize,
  OPTION.windowScale,
  OPTION.sackPermitted,
  OPTION.timestamps,
  OPTION.md5,
  OPTION.userTimeout,
  OPTION.authentication,
  OPTION.fastOpen,
  OPTION.accurateEcn0,
  OPTION.accurateEcn1,
]);
