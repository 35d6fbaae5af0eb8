/**
 * Whom an audit asks: every host and address that a pinset names, on its ports, with what comes before TLS there. What
 * only a pattern names has to be named by whoever asks. Connects nowhere.
 */
import { HostPatterns } from '../../pins/match/host-patterns.ts';
import type { CompiledPinset, Policy } from '../../pins/policy.ts';
import { addressText } from '../../report/eve.ts';
import { starttlsOn, type Target } from '../pin/target.ts';

export interface AuditTarget extends Target {
  readonly pinset: CompiledPinset;
  /** The name that it is asked for, and that its certificate has to carry; null: none. */
  readonly name: string | null;
}

export interface Targets {
  readonly targets: readonly AuditTarget[];
  /** Patterns, networks and port ranges that nobody can ask, by pinset. */
  readonly notAsked: readonly { readonly pinset: string; readonly what: string }[];
  /** Of the hosts that were named, those that no pinset is for. */
  readonly unknown: readonly string[];
}

export function targetsOf(policy: Policy, hosts: readonly string[]): Targets {
  const targets: AuditTarget[] = [];
  const notAsked: { pinset: string; what: string }[] = [];
  const known = new Set<string>();
  for (const pinset of policy.pinsets.filter(({ pins }) => pins.length > 0)) {
    const { match, name } = pinset;
    const covered = hosts.filter((host) => new HostPatterns(match.hosts).cover(host.toLowerCase()));
    for (const host of covered) known.add(host);
    const ports = portsOf(pinset);
    const names = new Set([...match.hosts.filter((host) => !host.includes('*')), ...covered]);
    for (const host of names) targets.push(...ports.asked.map((port) => targetOf(pinset, host, host, port)));
    for (const { address, prefix } of match.addresses) {
      const text = addressText(address);
      if (prefix < address.length * 8) notAsked.push({ pinset: name, what: `${text}/${prefix}` });
      else targets.push(...ports.asked.map((port) => targetOf(pinset, text, pinset.names[0] ?? null, port)));
    }
    const patterns = match.hosts.filter((host) => host.includes('*') && covered.length === 0);
    for (const what of [...patterns, ...ports.left]) notAsked.push({ pinset: name, what });
    if (match.hosts.length + match.addresses.length === 0) notAsked.push({ pinset: name, what: 'every other server' });
  }
  return { targets, notAsked, unknown: hosts.filter((host) => !known.has(host)) };
}

function targetOf(pinset: CompiledPinset, host: string, name: string | null, port: number): AuditTarget {
  return { pinset, host, name, port, starttls: starttlsOn(port), isDefaultPort: port === HTTPS };
}

function portsOf({ match }: CompiledPinset): { readonly asked: number[]; readonly left: string[] } {
  if (match.ports.length === 0) return { asked: [HTTPS], left: [] };
  const few = match.ports.filter(([first, last]) => last - first < MOST_PORTS);
  return {
    asked: few.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, i) => first + i)),
    left: match.ports.filter((range) => !few.includes(range)).map(([first, last]) => `ports ${first}-${last}`),
  };
}

const HTTPS = 443;
/** Of a range. */
const MOST_PORTS = 16;
