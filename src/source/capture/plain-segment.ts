/**
 * Segments whose headers are as nearly all are: nothing in them that a closer look could take offence at. Knows headers
 * only, and of options the timestamps that come alone.
 */
import type { IpOutline } from './tunnel.ts';

/** Whether the segment, whose 20 octets of header are there and whose octets end at `end`, is one. */
export function isPlainSegment(ip: IpOutline, bytes: Uint8Array, end: number): boolean {
  const at = ip.payload;
  if (ip.version !== 4 && at !== ip.start + IPV6_HEADER) return false;
  const words = bytes[at + 12]! >> 4;
  if (words === 5) return true;
  return words === 8 && end - at >= 32 && hasTimestampsAlone(bytes, at + 20);
}

/** RFC 7323, appendix A: | no operation 1 | no operation 1 | kind 1 | length 1 | and both values. */
function hasTimestampsAlone(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 1 && bytes[at + 1] === 1 && bytes[at + 2] === 8 && bytes[at + 3] === 10;
}

const IPV6_HEADER = 40;
