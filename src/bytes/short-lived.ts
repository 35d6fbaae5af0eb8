/**
 * Copies for as long as a connection has use for them, many in one piece of memory: of each array of more than 64 octets
 * V8 asks its runtime, and that the allocator. A piece stays while any of its copies does: whoever keeps one longer than
 * its connection makes a copy of its own, and so does whoever posts it, since the whole piece would go with it.
 */
import { copyOf } from './copy.ts';

export function shortLivedCopyOf(bytes: Uint8Array): Uint8Array {
  const { length } = bytes;
  if (length > LONGEST) return copyOf(bytes);
  if (length > PIECE - used) {
    piece = new ArrayBuffer(PIECE);
    used = 0;
  }
  const copy = new Uint8Array(piece, used, length);
  copy.set(bytes);
  used += length;
  return copy;
}

/** Octets: some dozen hellos. */
const PIECE = 16_384;
/** No more of a piece than this is left unused. */
const LONGEST = 2_048;

let piece = new ArrayBuffer(PIECE);
let used = 0;
