/**
 * Pinsets that learn: they take part in selection before they have any pins, and what was learned of a host stands in
 * for them once that host is to be enforced. Knows what a host is called; what is learned, and when it is enough, is for
 * whoever learns.
 */
import ipaddr from 'ipaddr.js';
import { inRange, plainAddress, plainRange } from '../address.ts';
import { normalName } from './match-index.ts';
import type { Endpoint } from './match-index.ts';
import type { CompiledMatch, CompiledPinset } from '../policy.ts';

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

/** Whether what its hosts show is recorded: of those that are held to it already as well. */
export function recordsHosts({ mode, then }: Pick<CompiledPinset, 'mode' | 'then'>): boolean {
  return mode === 'learn' || then !== undefined;
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

/** Whether a pinset with that match could be asked about a host, as `hostOf` names it. */
export function coversHost({ hosts, addresses, ports }: CompiledMatch, host: string): boolean {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|(.*)):(\d+)$/.exec(host) ?? [];
  if (ports.length > 0 && !ports.some(([first, last]) => first <= Number(port) && Number(port) <= last)) return false;
  const name = bracketed ?? plain ?? '';
  const isAddress = ipaddr.isValid(name);
  if (addresses.length > 0) {
    const octets = isAddress ? new Uint8Array(ipaddr.parse(name).toByteArray()) : undefined;
    return octets !== undefined && addresses.some((range) => inRange(octets, plainRange(range)));
  }
  if (hosts.length > 0) return !isAddress && hosts.some((pattern) => fitsPattern(name, pattern));
  return true;
}

function fitsPattern(name: string, pattern: string): boolean {
  if (pattern.startsWith('**.')) return name === pattern.slice(3) || name.endsWith(pattern.slice(2));
  if (!pattern.startsWith('*.')) return name === pattern;
  return name.endsWith(pattern.slice(1)) && !name.slice(0, 1 - pattern.length).includes('.');
}

function addressOf(octets: Uint8Array): string {
  const address = ipaddr.fromByteArray([...plainAddress(octets)]);
  return address instanceof ipaddr.IPv6 ? `[${address.toRFC5952String()}]` : address.toString();
}
