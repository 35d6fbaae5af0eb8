/**
 * Whether a certificate is for a name (RFC 9525): only subjectAltName counts, the common name never does. A wildcard
 * is the whole left-most label, stands for exactly one label, and needs two labels behind it.
 */
import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import { DerReader, TAG } from './der.ts';
import { EXTENSION } from './extensions.ts';
import type { Extension } from './extensions.ts';

export interface SubjectNames {
  /** dNSName values as octets have them (Latin-1), in any case. */
  readonly dns: readonly string[];
  /** iPAddress values: 4 or 16 octets. */
  readonly ip: readonly Uint8Array[];
}

/** Names of a subjectAltName; none where it is missing or not well formed. */
export function subjectNamesOf(extensions: ReadonlyMap<string, Extension>): SubjectNames {
  const extension = extensions.get(EXTENSION.subjectAltName);
  if (extension === undefined) return NO_NAMES;
  const dns: string[] = [];
  const ip: Uint8Array[] = [];
  const top = new DerReader(extension.value);
  const list = top.enter(TAG.sequence);
  top.finish();
  while (list.more()) {
    const name = list.next();
    const content = list.content(name);
    if (name.tag === GENERAL_NAME.dns) dns.push(Buffer.from(content).toString('latin1'));
    else if (name.tag === GENERAL_NAME.ip && (content.length === 4 || content.length === 16)) ip.push(content);
  }
  return top.ok ? { dns, ip } : NO_NAMES;
}

/**
 * Whether the certificate carries one of the wanted names: a host name, an address as text, or a pattern `*.x`, which
 * a certificate meets with that same pattern or with a name of one label more.
 */
export function carriesName(names: SubjectNames, wanted: readonly string[]): boolean {
  return wanted.some((reference) => {
    if (isIP(reference) !== 0) {
      const octets = Buffer.from(ipaddr.parse(reference).toByteArray());
      return names.ip.some((address) => octets.equals(address));
    }
    return names.dns.some((presented) => matchesDnsName(presented, reference));
  });
}

/** `reference` may be a pattern too. */
export function matchesDnsName(presented: string, reference: string): boolean {
  const one = plainName(presented);
  const other = plainName(reference);
  if (one === undefined || other === undefined) return false;
  return one === other || covers(one, other) || covers(other, one);
}

function covers(pattern: string, name: string): boolean {
  if (!pattern.startsWith('*.') || name.startsWith('*')) return false;
  const dot = name.indexOf('.');
  return dot > 0 && name.slice(dot) === pattern.slice(1);
}

/** Lower case, without the root's dot; undefined for what no DNS name or wildcard can be, such as one with a NUL. */
function plainName(name: string): string | undefined {
  const lower = name.toLowerCase().replace(/\.$/, '');
  if (lower.length === 0 || lower.length > 253) return undefined;
  const labels = lower.split('.');
  if (labels[0] === '*') {
    if (labels.length < 3) return undefined;
    labels.shift();
  }
  return labels.every((label) => LABEL.test(label)) ? lower : undefined;
}

/** Letters, digits, hyphens (RFC 1123 §2.1), and the underscore that is used all the same. */
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;
/** GeneralName (RFC 5280 §4.2.1.6), context-specific tags. */
export const GENERAL_NAME = { email: 0x81, dns: 0x82, directory: 0xa4, uri: 0x86, ip: 0x87 } as const;
const NO_NAMES: SubjectNames = { dns: [], ip: [] };
