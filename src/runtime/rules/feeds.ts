/**
 * Which packets netfilter's rules send to the engine's queues, found by following them as a packet would; and in words, what
 * of that a policy misses.
 */
import { existsSync } from 'node:fs';

import type { Policy } from '../../pins/policy.ts';
import { Follower, type Parcel } from './follow.ts';
import { FAMILIES, type Family, FAMILY_NAMES, type Ports } from './plan.ts';
import { ALL_PORTS, few, portsText, union } from './ports.ts';
import { isOwn, type Rule, type Ruleset, shortened } from './ruleset.ts';
import { Sight, type Unseen, type Way } from './unseen.ts';

export interface Feed {
  readonly family: Family;
  readonly table: string;
  readonly hook: string;
  readonly protocol: 'tcp' | 'udp';
  readonly ports: Ports;
  readonly bypass: boolean;
  readonly rule: Rule;
}

export interface Feeds {
  readonly feeds: readonly Feed[];
  /** Those of probes' own packets, and of probes that take a bridge. */
  readonly probes: readonly Feed[];
  readonly bridges: readonly Feed[];
  /** Of our own chains those that packets come by, and what their rules are: by family, table and name. */
  readonly own: ReadonlyMap<string, string>;
}

export function feedsOf({ chains }: Pick<Ruleset, 'chains'>, queues: readonly [number, number]): Feeds {
  const follower = new Follower(chains, queues);
  const [feeds, probes, bridges]: [Feed[], Feed[], Feed[]] = [[], [], []];
  const own = new Map<string, string>();
  for (const chain of chains) {
    const { hook, table } = chain;
    if (hook === undefined || table.endsWith(' nat')) continue;
    for (const family of chain.families) {
      for (const protocol of PROTOCOLS) {
        const of = { family, protocol, table, hook };
        const fed = new Map<Rule, Feed>();
        const lists = new Map<Rule, Feed[]>();
        follower.through({ ...chain, passes: true }, EVERYTHING, {
          protocol,
          side: 'either',
          // Who asks for more has thought of it.
          fits: ({ asks }) => asks.length === 0 || undefined,
          onQueue: (rule, ports, chain) => {
            if (isOwn(chain))
              lists.set(rule, OF_PROBES.test(chain.name) ? probes : OF_BRIDGES.test(chain.name) ? bridges : feeds);
            const known = fed.get(rule)?.ports ?? [];
            fed.set(rule, { ...of, ports: union(known, ports), bypass: isBypassing(rule), rule });
          },
          onChain: (chain) => {
            if (!isOwn(chain) || chain.rules.length === 0) return;
            const table = chain.table.includes(family) ? chain.table : `${family} ${chain.table}`;
            own.set(`${table} ${chain.name}`, chain.rules.map(({ text }) => text).join('\n'));
          },
        });
        for (const feed of fed.values()) (lists.get(feed.rule) ?? feeds).push(feed);
      }
    }
  }
  return { feeds, probes, bridges, own };
}

/** Families of which what leaves and what comes is fed. */
export function bothWays(feeds: readonly Feed[]): ReadonlySet<Family> {
  const isFed = (family: Family, at: string) => feeds.some((feed) => feed.family === family && feed.hook === at);
  return new Set(FAMILIES.filter((family) => isFed(family, 'output') && isFed(family, 'input')));
}

function isBypassing({ target }: Rule): boolean {
  return target.kind === 'queue' && target.bypass;
}

/** In words. */
export interface Missing {
  /** What is not sent to the queue. */
  readonly partial: readonly string[];
  /** What a rule ahead of it lets go by, where the rule fits. */
  readonly bypassed: readonly string[];
}

/** `previously`: the names of own chains that packets came by since the configuration is in force. */
export function missingFeeds(
  ruleset: Pick<Ruleset, 'chains'>,
  { feeds, own }: Feeds,
  policy: Policy,
  queues: readonly [number, number],
  previously: Iterable<string> = [],
): Missing {
  const sight = new Sight(ruleset.chains, queues, policy);
  const [partial, bypassed]: [string[], string[]] = [[], []];
  for (const family of neededFamilies(policy)) {
    const streams = waysOf(feeds.filter((feed) => feed.family === family && feed.protocol === 'tcp'));
    if (streams.length === 0) partial.push(FAMILY_NAMES[family]);
    // Where one family's datagrams are queued, the other one's are meant too.
    const datagrams = waysOf(feeds.filter(({ protocol }) => protocol === 'udp'));
    const unseen = [
      ...streams.map((way) => ({ way, found: sight.unseen(family, way, 'tcp') })),
      ...datagrams.map((way) => ({ way, found: sight.unseen(family, way, 'udp') })),
    ];
    for (const { way, found } of unseen) {
      if (found === undefined) continue;
      (found.parcel.by === undefined ? partial : bypassed).push(unseenText(found, `${way} ${FAMILY_NAMES[family]}`));
    }
  }
  const gone = [...previously].filter((name) => !own.has(name));
  if (gone.length > 0) partial.push(`what was in ${few(gone)}`);
  return { partial, bypassed };
}

export function waysOf(feeds: readonly Feed[]): Way[] {
  const at = (...hooks: string[]) => feeds.some(({ hook }) => hooks.includes(hook));
  return [
    ...(at('forward', 'prerouting', 'postrouting') ? (['forwarded'] as const) : []),
    ...(at('input', 'output') ? (['incoming', 'outgoing'] as const) : []),
  ];
}

function unseenText({ kind, parcel: { ports, by } }: Unseen, what: string): string {
  const which = `${what} of port ${portsText(ports)}${kind === undefined ? '' : ` (${kind})`}`;
  return by === undefined ? which : `${which} by the rule ${shortened(by.text)}`;
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

const PROTOCOLS = ['tcp', 'udp'] as const;
const OF_PROBES = /^(tlspin-probe-|probe_)/;
const OF_BRIDGES = /^(tlspin-bridge-|bridge_)/;
const EVERYTHING: Parcel = { ports: ALL_PORTS, mark: 0, by: undefined };
const IPV6 = '/proc/net/if_inet6';
