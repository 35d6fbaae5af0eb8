/** Octets as a string, one character an octet: a key to find them by, or a name as it was sent. Makes no view on the way. */
export function latin1Of(bytes: Uint8Array, start = 0, end = bytes.length): string {
  return Buffer.prototype.latin1Slice.call(bytes, start, end);
}
