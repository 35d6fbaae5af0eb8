/** Copies that may be kept: `Buffer.prototype.slice` would be a view of a slab that is about to be overwritten. */
export function copyOf(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  if (end - start > SHORT) return new Uint8Array(bytes.subarray(start, end));
  const length = Math.max(0, Math.min(end, bytes.length) - start);
  const copy = new Uint8Array(length);
  for (let i = 0; i < length; i++) copy[i] = bytes[start + i]!;
  return copy;
}

/** Octets that are copied one by one sooner than a view of them is made. */
const SHORT = 64;
