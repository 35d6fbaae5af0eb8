/**
 * Handshakes as they go by, in lines for people: `tlspin run --debug`. What each message was, how long, and of a
 * certificate the name and the key that pins are made of. Owns the filter's spelling. Knows events, no packets.
 */
import ipaddr from 'ipaddr.js';

import { jsonText } from '../bytes/invisible.ts';
import type { Endpoint, HandshakeEvent } from '../judge/events.ts';
import { HANDSHAKE } from '../tls/constants.ts';
import type { CertificateReaders } from './certificate-entry.ts';
import { hostPort } from './endpoint.ts';

export type WatchFilter = (event: HandshakeEvent) => boolean;

/**
 * Terms with commas between them; a flow is shown that fits one: `*`, a host name as clients ask for it, `*.name` for
 * whatever ends in it, an address or network of either end, `:port` of the server. Undefined when a term is none.
 */
export function parseWatchFilter(text: string): WatchFilter | undefined {
  const terms = text.split(',').map((term) => parseTerm(term.trim()));
  if (terms.includes(undefined)) return undefined;
  return (event) => terms.some((fits) => fits!(event));
}

export function watchLine(event: HandshakeEvent, readers: CertificateReaders): string {
  const ends = `${endpointText(event.client)} > ${endpointText(event.server)}`;
  const name = event.sni === null ? '' : ` ${jsonText(event.sni)}`;
  const line = `${ends}${name}: ${event.from}: ${messageName(event.messageType)} (len = ${event.length})`;
  return event.leaf === null ? line : `${line}${leafText(event.leaf, readers)}`;
}

/** `ServerKeyExchange`, `type 99`. */
export function messageName(type: number): string {
  return NAMES.get(type) ?? `type ${type}`;
}

function leafText(leaf: Uint8Array, readers: CertificateReaders): string {
  const { commonName } = readers.describe(leaf);
  const { key } = readers.present(leaf);
  const [algorithm, octets] = key === null ? ['unknown', ''] : splitOnce(key, ':');
  return ` cn = ${jsonText(commonName)} pubkey_alg = ${algorithm} pubkey = ${octets}`;
}

function parseTerm(term: string): WatchFilter | undefined {
  if (term === '*') return () => true;
  if (/^:\d{1,5}$/.test(term)) return ({ server }) => server.port === Number(term.slice(1));
  if (ipaddr.isValid(term)) return within(ipaddr.parse(term), undefined);
  if (ipaddr.isValidCIDR(term)) return within(...ipaddr.parseCIDR(term));
  const name = term.toLowerCase();
  if (/^\*\.[a-z0-9_.-]+$/.test(name)) return ({ sni }) => sni?.toLowerCase().endsWith(name.slice(1)) ?? false;
  return /^[a-z0-9_.-]+$/.test(name) ? ({ sni }) => sni?.toLowerCase() === name : undefined;
}

function within(network: ipaddr.IPv4 | ipaddr.IPv6, prefix: number | undefined): WatchFilter {
  const bits = prefix ?? network.toByteArray().length * 8;
  const holds = ({ address }: Endpoint): boolean => {
    const other = ipaddr.fromByteArray([...address]);
    return other.kind() === network.kind() && other.match(network, bits);
  };
  return ({ client, server }) => holds(client) || holds(server);
}

function endpointText({ address, port }: Endpoint): string {
  return hostPort(ipaddr.fromByteArray([...address]).toString(), port);
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** `ServerKeyExchange` for `serverKeyExchange`. */
const NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(HANDSHAKE).map(([name, type]) => [type, name[0]!.toUpperCase() + name.slice(1)]),
);
