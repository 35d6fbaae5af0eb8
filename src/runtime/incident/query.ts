/** For whom an incident is looked into: a server name, or an address or network of either end. Knows records of the log. */
import ipaddr from 'ipaddr.js';

import type { VerdictRecord } from '../../report/schema.ts';

export interface Query {
  /** As it was asked for. */
  readonly text: string;
  readonly fits: (record: VerdictRecord) => boolean;
}

/** `www.bank.example`, `*.bank.example`, `192.0.2.1`, `2001:db8::1`, `192.0.2.0/24`; undefined when it is none of these. */
export function parseQuery(text: string): Query | undefined {
  const bare = text.replace(/^\[(.+)\]$/, '$1');
  if (ipaddr.isValidCIDR(bare)) return { text, fits: within(...ipaddr.parseCIDR(bare)) };
  if (ipaddr.isValid(bare) && /[.:].*[.:]/.test(bare)) {
    const address = ipaddr.process(bare);
    return { text, fits: within(address, address.toByteArray().length * 8) };
  }
  const name = bare.toLowerCase().replace(/\.$/, '');
  if (!NAME.test(name)) return undefined;
  return { text, fits: (record) => namesOf(record).some((each) => isOf(each, name)) };
}

/** What the client asked TLS for, and a proxy. */
function namesOf({ tls, verdict }: VerdictRecord): string[] {
  return [tls?.sni, verdict.fronted].flatMap((name) => (name === undefined ? [] : [name.toLowerCase()]));
}

function isOf(name: string, wanted: string): boolean {
  return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
}

function within(network: ipaddr.IPv4 | ipaddr.IPv6, bits: number): Query['fits'] {
  const holds = (text: string): boolean => {
    const address = ipaddr.isValid(text) ? ipaddr.process(text) : undefined;
    return address?.kind() === network.kind() && address.match(network, bits);
  };
  return ({ src_ip: client, dest_ip: server }) => holds(client) || holds(server);
}

const NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/;
