/** Octets as strings of one character each: keys to find them by, names as they were sent. Makes no view on the way. */
export function latin1Of(bytes: Uint8Array, start = 0, end = bytes.length): string {
  // Four are an address, of which each connection asks several times: without leaving compiled code.
  if (end - start === 4 && end <= bytes.length) {
    return String.fromCharCode(bytes[start]!, bytes[start + 1]!, bytes[start + 2]!, bytes[start + 3]!);
  }
  return latin1Slice.call(bytes, start, end);
}

/** The other way round. */
export function octetsOf(text: string): Uint8Array {
  const octets = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) octets[i] = text.charCodeAt(i);
  return octets;
}

/** Here, and not at each call: the global `Buffer` is a getter. */
const { latin1Slice } = Buffer.prototype;
