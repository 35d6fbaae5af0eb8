/**
 * Pinsets that learn: they take part in selection before they have any pins, and what was learned of a host stands in
 * for them once that host is to be enforced. Knows what a host is called; what is learned, and when it is enough, is for
 * whoever learns.
 */
import ipaddr from 'ipaddr.js';
import { plainAddress } from './address.ts';
import { normalName } from './match-index.ts';
import type { Endpoint } from './match-index.ts';
import type { CompiledMatch, CompiledPinset } from './policy.ts';

/** Whether a pinset is selected for flows; one without pins that does not learn is a deny list. */
export function requires(pinset: Pick<CompiledPinset, 'pins' | 'listed' | 'mode'>): boolean {
  return hasPins(pinset) || pinset.mode === 'learn';
}

/** Wherever they are. */
export function hasPins({ pins, listed }: Pick<CompiledPinset, 'pins' | 'listed'>): boolean {
  return pins.length > 0 || (listed !== undefined && listed.pins.length > 0);
}

/** Whether some flow that it is selected for is denied in earnest. */
export function mayEnforce({ mode, learned }: Pick<CompiledPinset, 'mode' | 'learned'>): boolean {
  return mode === 'enforce' || (learned !== undefined && learned.size > 0);
}

/** The pinset itself, or what it has become for this host. */
export function asLearned(pinset: CompiledPinset, server: Endpoint, name: string | null): CompiledPinset {
  if (pinset.learned === undefined || pinset.learned.size === 0) return pinset;
  return pinset.learned.get(hostOf(pinset.match, server, name)) ?? pinset;
}

/**
 * What is learned about, such as `www.bank.example:443`: by name, unless the pinset is bound to addresses, since the
 * name is the client's choice. `name` as the client gave it.
 */
export function hostOf(match: CompiledMatch, server: Endpoint, name: string | null): string {
  // RFC 6066 §3: an address literal is no name.
  const isName = name !== null && !/^[\d.]+$/.test(name) && match.addresses.length === 0;
  return `${isName ? normalName(name) : addressOf(server.address)}:${server.port}`;
}

function addressOf(octets: Uint8Array): string {
  const address = ipaddr.fromByteArray([...plainAddress(octets)]);
  return address instanceof ipaddr.IPv6 ? `[${address.toRFC5952String()}]` : address.toString();
}
