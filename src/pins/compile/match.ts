/**
 * Which flows a pinset or rule is for, from text: hosts, addresses, ports, clients. What cannot be meant is reported
 * with the cure.
 */
import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import ipaddr from 'ipaddr.js';
import type { Path, Reporter } from '../document/message.ts';
import type { AddressRange, CompiledMatch } from '../policy.ts';
import type { MatchSource } from '../document/schema/match.ts';
import type { PortSource } from '../document/schema/values.ts';
import { elements } from '../document/elements.ts';

export function compileMatch(source: MatchSource | undefined, path: Path, report: Reporter): CompiledMatch {
  if (source?.hosts !== undefined && source.addresses !== undefined) {
    report.error(
      [...path, 'addresses'],
      'hosts and addresses in one match would let the client choose by the name it gives: write two pinsets',
    );
  }
  const hosts = compileAll(source?.hosts, [...path, 'hosts'], report, parseHostEntry);
  const meant = hosts.filter(({ isExempt }) => !isExempt).map(({ pattern }) => pattern);
  if (hosts.length > 0 && meant.length === 0) {
    report.error(
      [...path, 'hosts'],
      'every one of these is exempt: name first which hosts are meant, such as "**.example"',
    );
  }
  return {
    hosts: meant,
    exempt: hosts.filter(({ isExempt }) => isExempt).map(({ pattern }) => pattern),
    addresses: compileAll(source?.addresses, [...path, 'addresses'], report, parseRange),
    ports: compilePorts(source?.ports, [...path, 'ports'], report),
    clients: compileAll(source?.clients, [...path, 'clients'], report, parseRange),
  };
}

export function compilePorts(
  source: readonly PortSource[] | undefined,
  path: Path,
  report: Reporter,
): (readonly [number, number])[] {
  return compileAll(source, path, report, parsePorts);
}

/** What the certificate may be called: a host name, `*.x`, or an address. */
export function compileNames(source: readonly string[] | undefined, path: Path, report: Reporter): string[] {
  return compileAll(source, path, report, (text) => {
    if (isIP(text) !== 0) return { value: ipaddr.parse(text).toString() };
    if (text.startsWith('**.')) return { error: 'certificates carry "*." at most: list the names' };
    return parseHostPattern(text);
  });
}

export type Parsed<T> = { readonly value: T } | { readonly error: string };

/** `!x`: no pattern of the others is meant to cover it. */
function parseHostEntry(text: string): Parsed<{ pattern: string; isExempt: boolean }> {
  const isExempt = text.startsWith('!');
  const parsed = parseHostPattern(isExempt ? text.slice(1) : text);
  return 'error' in parsed ? parsed : { value: { pattern: parsed.value, isExempt } };
}

export function parseHostPattern(text: string): Parsed<string> {
  const [, wildcard = '', rest = ''] = /^(\*\*?\.)?(.*)$/s.exec(text.trim()) ?? [];
  const name = rest.toLowerCase().replace(/\.$/, '');
  if (isIP(name.replace(/^\[|\]$/g, '')) !== 0) return { error: `"${text}" is an address: write it in "addresses"` };
  if (/^https?:/.test(text)) return { error: `"${text}" is a URL: write the host name alone` };
  if (/:\d+$/.test(name)) return { error: `"${text}" holds a port: write it in "ports"` };
  if (name === '*' || name === '**' || name === '') {
    return { error: `"${text}" would be every host: leave hosts out, and the pinset is the fallback` };
  }
  if (name.includes('*')) return { error: `"${text}": a wildcard is the whole first label, "*.x" or "**.x"` };
  if (name.length <= 253 && name.split('.').every((label) => LABEL.test(label))) return { value: wildcard + name };
  const ascii = domainToASCII(name);
  if (ascii !== '' && ascii !== name)
    return { error: `"${text}" goes over the wire as "${wildcard}${ascii}": write that` };
  return { error: `"${text}" is not a host name` };
}

export function parseRange(text: string): Parsed<AddressRange> {
  const [address = '', length, ...more] = text.trim().split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || more.length > 0) {
    return { error: `"${text}" is not an address or a network such as 198.51.100.0/24` };
  }
  const octets = new Uint8Array(ipaddr.parse(address).toByteArray());
  const bits = octets.length * 8;
  const prefix = length === undefined ? bits : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || prefix > bits)) {
    return { error: `"${text}": the length of its prefix must be 0 to ${bits}` };
  }
  const network = masked(octets, prefix);
  if (!Buffer.from(network).equals(octets)) {
    const meant = ipaddr.fromByteArray([...network]).toString();
    return {
      error: `"${text}" has bits behind its prefix: write ${meant}/${prefix} for the network or leave /${prefix} out`,
    };
  }
  return { value: { address: octets, prefix } };
}

export function parsePorts(source: PortSource): Parsed<readonly [number, number]> {
  const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(source).trim()) ?? [];
  const from = Number(first);
  const to = last === undefined ? from : Number(last);
  if (first === undefined || from < 1 || to > 65_535) {
    return { error: `"${source}" is not a port (1 to 65535) or a range such as "8443-8449"` };
  }
  return from <= to ? { value: [from, to] } : { error: `"${source}" ends before it begins: write "${to}-${from}"` };
}

function compileAll<S, T>(
  source: readonly S[] | undefined,
  path: Path,
  report: Reporter,
  parse: (element: S) => Parsed<T>,
): T[] {
  const values: T[] = [];
  for (const [index, element] of elements(source)) {
    const parsed = parse(element);
    if ('value' in parsed) values.push(parsed.value);
    else report.error([...path, index], parsed.error);
  }
  return values;
}

function masked(octets: Uint8Array, prefix: number): Uint8Array {
  return octets.map((octet, i) => {
    const bits = Math.min(8, Math.max(0, prefix - 8 * i));
    return octet & (0xff00 >> bits) & 0xff;
  });
}

const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
