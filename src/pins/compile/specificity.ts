/**
 * Pinsets between which selection could not choose: equally specific for some flow that both fit. Such a file is
 * refused, so that the order of its pinsets never matters.
 */
import { networkKey, plainRange } from '../address.ts';
import { requires } from '../match/learning.ts';
import type { AddressRange, CompiledMatch, CompiledPinset } from '../policy.ts';

export interface Ambiguity {
  readonly first: CompiledPinset;
  readonly second: CompiledPinset;
  /** The host pattern or network that both name; null for two fallbacks. */
  readonly place: string | null;
  /** A port at which they are equally specific. */
  readonly port: number;
}

/** Each pair once, at the first place that they share. */
export function ambiguities(pinsets: readonly CompiledPinset[]): Ambiguity[] {
  const byPlace = new Map<string, { place: string | null; pinsets: CompiledPinset[] }>();
  for (const pinset of pinsets) {
    if (!requires(pinset)) continue;
    for (const [key, place] of placesOf(pinset.match)) {
      const group = byPlace.get(key);
      if (group === undefined) byPlace.set(key, { place, pinsets: [pinset] });
      else group.pinsets.push(pinset);
    }
  }
  const found = new Map<string, Ambiguity>();
  for (const group of byPlace.values()) {
    for (const [i, second] of group.pinsets.entries()) {
      for (const first of group.pinsets.slice(0, i)) {
        const pair = `${first.index} ${second.index}`;
        const port = sharesClients(first.match, second.match) ? equalPort(first.match, second.match) : undefined;
        if (port !== undefined && !found.has(pair)) found.set(pair, { first, second, place: group.place, port });
      }
    }
  }
  return [...found.values()];
}

/** Places that only compete with themselves: one pattern, one network, or the fallback. */
function placesOf(match: CompiledMatch): Map<string, string | null> {
  const places = new Map<string, string | null>();
  for (const host of match.hosts) places.set(`host ${host}`, host);
  for (const range of match.addresses) {
    const { address, prefix } = plainRange(range);
    const text = `${[...address].join('.')}/${prefix}`;
    places.set(`network ${address.length} ${prefix} ${networkKey(address, prefix)}`, text);
  }
  if (places.size === 0) places.set('fallback', null);
  return places;
}

/** A port for which the narrowest range of both is equally wide. Widths change only where a range begins or ends. */
function equalPort(a: CompiledMatch, b: CompiledMatch): number | undefined {
  const borders = [443, 1];
  for (const [from, to] of [...a.ports, ...b.ports]) borders.push(from, to + 1);
  return borders.find((port) => {
    const width = widthAt(a, port);
    return port <= 65_535 && width !== undefined && width === widthAt(b, port);
  });
}

function widthAt(match: CompiledMatch, port: number): number | undefined {
  if (match.ports.length === 0) return Infinity;
  const widths = match.ports.flatMap(([from, to]) => (from <= port && port <= to ? [to - from] : []));
  return widths.length === 0 ? undefined : Math.min(...widths);
}

/** Whether some client is in networks of both that are equally long: they are then the same network. */
function sharesClients(a: CompiledMatch, b: CompiledMatch): boolean {
  if (a.clients.length === 0 || b.clients.length === 0) return a.clients.length === b.clients.length;
  const networks = new Set(a.clients.map(clientKey));
  return b.clients.some((range) => networks.has(clientKey(range)));
}

function clientKey(range: AddressRange): string {
  const { address, prefix } = plainRange(range);
  return `${address.length} ${prefix} ${networkKey(address, prefix)}`;
}
