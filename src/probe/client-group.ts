/** Whom a probe is counted for: an address, and the group of addresses that one host may have (RFC 6177, RFC 8981). */
import { addressText, isIpv4 } from './address.ts';

/** The address itself, or the /64 of an IPv6 one. */
export function clientGroup(address: Uint8Array): string {
  return isIpv4(address) ? addressText(address) : `${addressText(address.subarray(0, 8))}::/64`;
}
