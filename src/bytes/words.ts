/** Numbers out of octets, big-endian as protocols have them. Nothing is made and nothing checked on the way. */

/** The one at `at`, of 32 bits. */
export function u32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}
