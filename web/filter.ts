/** Which verdicts somebody wants to see: the same words as the server's query understands. Knows no document. */
import ipaddr from 'ipaddr.js';

import type { Verdict } from '../src/web/api.ts';

export interface Filter {
  /** A server name, *.NAME, an address of either end, or a network. */
  readonly who: string;
  readonly action: string;
  readonly reason: string;
  readonly pinset: string;
  readonly denied: boolean;
}

export const EVERYTHING: Filter = { who: '', action: '', reason: '', pinset: '', denied: false };

export function matches(filter: Filter, verdict: Verdict): boolean {
  const { action, reason, pinset, would } = verdict.verdict;
  return (
    (filter.action === '' || filter.action === action) &&
    (filter.reason === '' || filter.reason === reason) &&
    (filter.pinset === '' || filter.pinset === pinset) &&
    (!filter.denied || action !== 'accept' || (would !== undefined && would !== 'accept')) &&
    (filter.who === '' || isOf(filter.who, verdict))
  );
}

/** For the address bar and the server alike: what is not asked for is not there. */
export function toQuery({ who, action, reason, pinset, denied }: Filter): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ who, action, reason, pinset })) if (value !== '') query.set(name, value);
  if (denied) query.set('denied', 'true');
  return query;
}

export function fromQuery(query: URLSearchParams): Filter {
  const of = (name: string): string => (query.get(name) ?? '').trim();
  return {
    ...{ who: of('who'), action: of('action'), reason: of('reason'), pinset: of('pinset') },
    denied: query.get('denied') === 'true',
  };
}

function isOf(who: string, { src_ip: client, dest_ip: server, tls }: Verdict): boolean {
  if (ipaddr.isValid(who) || ipaddr.isValidCIDR(who)) return [client, server].some((address) => isWithin(who, address));
  const name = (tls?.sni ?? '').toLowerCase();
  const wanted = who.toLowerCase();
  return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
}

function isWithin(who: string, address: string): boolean {
  const own = ipaddr.parse(address);
  if (ipaddr.isValid(who)) return ipaddr.parse(who).toNormalizedString() === own.toNormalizedString();
  const [network, prefix] = ipaddr.parseCIDR(who);
  return network.kind() === own.kind() && own.match(network, prefix);
}
