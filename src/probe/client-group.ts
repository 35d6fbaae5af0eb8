/** Whom a probe is counted for: an address, and the group of addresses that one host may have (RFC 6177, RFC 8981). */
import type { ProbeRequest } from '../judge/ports.ts';
import type { ProbePolicy } from '../pins/policy.ts';
import { addressText, isIpv4 } from './address.ts';

/** The address itself, or the /64 of an IPv6 one. */
export function clientGroup(address: Uint8Array): string {
  return isIpv4(address) ? addressText(address) : `${addressText(address.subarray(0, 8))}::/64`;
}

/**
 * Part of what an answer is remembered by: of whom it holds. Where nothing may leave with another address than the client's,
 * ways may differ by it, and what was shown on another client's way tells nothing of its own; nor does it over a bridge, where
 * a probe goes to whoever answered its client.
 */
export function sharersOf(
  { client, synTraits }: Pick<ProbeRequest, 'client' | 'synTraits'>,
  { source }: Pick<ProbePolicy, 'source'>,
): string {
  const isOwnWay = source === 'client' || synTraits?.isBridged === true;
  return isOwnWay ? `${clientGroup(client.address)} ` : '';
}
