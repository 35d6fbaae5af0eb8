/**
 * Which packets netfilter's rules send to the engine's queues, found by following them as a packet would; and what of that
 * a policy misses. What a rule asks besides protocol and ports is its author's business, and taken to hold.
 */
import { existsSync } from 'node:fs';

import type { Policy } from '../../pins/policy.ts';
import { FAMILIES, type Family, type Ports } from './plan.ts';
import type { Chain, Rule, Ruleset } from './ruleset.ts';

export interface Feed {
  readonly family: Family;
  readonly hook: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ports: Ports;
  readonly bypass: boolean;
  readonly rule: Rule;
}

export interface Feeds {
  readonly feeds: readonly Feed[];
  /** Of our own chains those that packets come by: family, table and name. */
  readonly own: ReadonlySet<string>;
}

export function feedsOf({ chains }: Pick<Ruleset, 'chains'>, queues: readonly [number, number]): Feeds {
  const walk = new Walk(chains, queues);
  for (const chain of chains) {
    if (chain.hook === undefined || chain.table.endsWith(' nat')) continue;
    for (const family of chain.families) for (const protocol of PROTOCOLS) walk.from(chain, family, protocol);
  }
  return walk;
}

class Walk implements Feeds {
  readonly feeds: Feed[] = [];
  readonly own = new Set<string>();
  readonly #chains = new Map<string, Chain>();
  readonly #queues: readonly [number, number];
  #steps = 0;

  constructor(chains: readonly Chain[], queues: readonly [number, number]) {
    this.#queues = queues;
    for (const chain of chains) this.#chains.set(`${chain.table} ${chain.name}`, chain);
  }

  from(chain: Chain, family: Family, protocol: Feed['protocol']): void {
    this.#follow(chain, { family, protocol, hook: chain.hook! }, ALL, 0);
  }

  /** The ports of which packets come to the chain's end, or return from it. */
  #follow(chain: Chain, of: Pick<Feed, 'family' | 'protocol' | 'hook'>, entering: Ports, depth: number): Ports {
    if (isOwn(chain) && chain.rules.length > 0) this.own.add(`${of.family} ${chain.table} ${chain.name}`);
    let left = entering;
    let returned: Ports = [];
    for (const rule of chain.rules) {
      if (left.length === 0 || ++this.#steps > MOST_STEPS) break;
      if (rule.protocol !== undefined && rule.protocol !== of.protocol) continue;
      const ports = rule.ports === undefined ? left : intersection(left, rule.ports);
      if (ports.length === 0) continue;
      const { target } = rule;
      let behind: Ports = ports;
      if (target.kind === 'queue') {
        if (target.first <= this.#queues[1] && this.#queues[0] <= target.last) {
          this.feeds.push({ ...of, ports, bypass: target.bypass, rule });
        }
        behind = [];
      } else if (target.kind === 'verdict') behind = [];
      else if (target.kind === 'chain') {
        const next = this.#chains.get(`${chain.table} ${target.chain}`);
        if (next !== undefined && depth < MOST_DEPTH) behind = this.#follow(next, of, ports, depth + 1);
        if (!target.returns && !rule.isConditional) returned = union(returned, behind);
        if (!target.returns) behind = [];
      } else if (target.kind === 'return') {
        if (!rule.isConditional) returned = union(returned, ports);
        behind = [];
      }
      // Of what a rule asks besides nobody knows how many packets fit it.
      if (!rule.isConditional) left = union(without(left, ports), behind);
    }
    return union(left, returned);
  }
}

/** What is missing, in words; `previously`: what fed the queue, and was there, since the configuration is in force. */
export function missingFeeds(
  { feeds, own }: Feeds,
  policy: Pick<Policy, 'ports' | 'pinsets'>,
  previously: ReadonlySet<string>,
): string[] {
  const missing = neededFamilies(policy).flatMap((family) => {
    const at = (...hooks: string[]) =>
      feeds
        .filter((each) => each.family === family && each.protocol === 'tcp' && hooks.includes(each.hook))
        .reduce((all: Ports, { ports }) => union(all, ports), []);
    const forward = at('forward', 'prerouting', 'postrouting');
    const [input, output] = [at('input', 'prerouting'), at('output', 'postrouting')];
    const isLocal = at('input', 'output').length > 0;
    if (forward.length === 0 && !isLocal) return [NAMES[family]];
    const lacking: [string, Ports][] = [
      ['forwarded', forward.length === 0 ? [] : without(policy.ports, forward)],
      ['incoming', isLocal ? without(policy.ports, input) : []],
      ['outgoing', isLocal ? without(policy.ports, output) : []],
    ];
    return lacking.flatMap(([what, ports]) =>
      ports.length === 0 ? [] : [`${what} ${NAMES[family]} of port ${portsText(ports)}`],
    );
  });
  const gone = [...previously].filter((name) => !own.has(name));
  return [...missing, ...(gone.length === 0 ? [] : [`what was in ${few(gone)}`])];
}

/** A pinset that names addresses of one family alone needs nothing of the other. */
function neededFamilies({ pinsets }: Pick<Policy, 'pinsets'>): readonly Family[] {
  const isNeeded = (octets: number) =>
    pinsets.length === 0 ||
    pinsets.some(({ match: { addresses, clients } }) =>
      [addresses, clients].every(
        (ranges) => ranges.length === 0 || ranges.some(({ address }) => address.length === octets),
      ),
    );
  return FAMILIES.filter((family) => (family === 'ipv4' ? isNeeded(4) : isNeeded(16) && existsSync(IPV6)));
}

export function isOwn({ name, table }: Chain): boolean {
  return /^tlspin(-|$)/.test(name) || /^inet tlspin(_local)?$/.test(table);
}

export function portsText(ports: Ports): string {
  return few(ports.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)));
}

function few(words: readonly string[]): string {
  const shown = words.slice(0, SHOWN).join(', ');
  return words.length <= SHOWN ? shown : `${shown} and ${words.length - SHOWN} more`;
}

export function intersection(a: Ports, b: Ports): Ports {
  const parts = a.flatMap(([from, to]) =>
    b.map(([first, last]) => [Math.max(from, first), Math.min(to, last)] as const).filter(([f, t]) => f <= t),
  );
  return union(parts, []);
}

export function without(a: Ports, b: Ports): Ports {
  return b.reduce(
    (left: Ports, [first, last]) =>
      left.flatMap(
        ([from, to]) =>
        ([[from, Math.min(to, first - 1)], [Math.max(from, last + 1), to]] as const).filter(([f, t]) => f <= t), // prettier-ignore
      ),
    a,
  );
}

/** In order, without overlaps. */
export function union(a: Ports, b: Ports): Ports {
  const merged: [number, number][] = [];
  for (const [from, to] of [...a, ...b].sort((x, y) => x[0] - y[0])) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else merged.push([from, to]);
  }
  return merged;
}

const PROTOCOLS = ['tcp', 'udp'] as const;
const NAMES: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };
const ALL: Ports = [[0, 65_535]];
const IPV6 = '/proc/net/if_inet6';
const SHOWN = 4;
/** Rules that are looked at; the kernel allows no loops, but chains may be jumped to from many places. */
const MOST_STEPS = 1_000_000;
const MOST_DEPTH = 64;
