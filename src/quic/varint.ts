/** Variable-length integers (RFC 9000 §16): the two most significant bits say how many octets. */
import type { ByteReader } from '../bytes/reader.ts';

/** Up to 2^62 - 1; what lies above 2^53 loses precision, and is more than anything here is allowed to be. */
export function readVarint(reader: ByteReader): number {
  const first = reader.u8();
  let value = first & 0x3f;
  for (let more = (1 << (first >> 6)) - 1; more > 0; more--) value = value * 256 + reader.u8();
  return value;
}
