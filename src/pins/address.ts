/**
 * Addresses as match keys: IPv4, IPv6, and IPv4 in IPv6's clothes (RFC 4291 §2.5.5.2), which is treated as IPv4.
 * Knows no configuration.
 */
import type { AddressRange } from './policy.ts';

/** 4 octets for IPv4 and IPv4-mapped IPv6, 16 otherwise. A view. */
export function plainAddress(address: Uint8Array): Uint8Array {
  return isMapped(address) ? address.subarray(12) : address;
}

/** The same for a range; a range wider than the mapped addresses stays IPv6. */
export function plainRange(range: AddressRange): AddressRange {
  if (range.prefix < 96 || !isMapped(range.address)) return range;
  return { address: range.address.subarray(12), prefix: range.prefix - 96 };
}

/** Whether an address, made plain, is in a range, made plain. */
export function inRange(address: Uint8Array, range: AddressRange): boolean {
  if (address.length !== range.address.length) return false;
  const whole = range.prefix >> 3;
  for (let i = 0; i < whole; i++) if (address[i] !== range.address[i]) return false;
  const rest = range.prefix & 7;
  return rest === 0 || ((address[whole]! ^ range.address[whole]!) & (0xff00 >> rest) & 0xff) === 0;
}

/** A map key for the first `prefix` bits; equal for equal networks of one family. */
export function networkKey(address: Uint8Array, prefix: number): string {
  let key = '';
  const whole = prefix >> 3;
  for (let i = 0; i < whole; i++) key += String.fromCharCode(address[i]!);
  const rest = prefix & 7;
  if (rest !== 0) key += String.fromCharCode(address[whole]! & (0xff00 >> rest) & 0xff);
  return key;
}

function isMapped(address: Uint8Array): boolean {
  if (address.length !== 16 || address[10] !== 0xff || address[11] !== 0xff) return false;
  for (let i = 0; i < 10; i++) if (address[i] !== 0) return false;
  return true;
}
