/** Copies that may be kept: `Buffer.prototype.slice` would be a view of a slab that is about to be overwritten. */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
}
