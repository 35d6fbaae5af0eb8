/**
 * What leads packets past the chains in which they would be queued: programs at a device (XDP, tc), nft's `fwd`, and rules
 * that hand connections to a program of this host. Reads what `ip`, `tc` and `nft` print; where one is missing, so is that.
 */
import type { Feed } from './feeds.ts';
import { Follower } from './follow.ts';
import type { Ports } from './plan.ts';
import { intersection } from './ports.ts';
import type { RunProgram } from './program.ts';
import { type Ruleset, shortened } from './ruleset.ts';

export type Diversion = 'packets.diverted' | 'packets.programmed';

/** In words, each kind once. */
export async function findDiversions(
  run: RunProgram,
  { chains }: Pick<Ruleset, 'chains'>,
  feeds: readonly Feed[],
  ports: Ports,
): Promise<Map<Diversion, string>> {
  const [links, qdiscs] = await Promise.all([run('ip', ['-d', '-j', 'link', 'show']), run('tc', ['-j', 'qdisc'])]);
  const devices = parsed<Link>(links);
  const filters = await Promise.all(
    parsed<Qdisc>(qdiscs)
      .filter(({ kind }) => kind === 'ingress' || kind === 'clsact')
      .map(async ({ dev }) =>
        filtersOf(dev, await run('tc', ['-j', 'filter', 'show', 'dev', dev, 'ingress']), devices),
      ),
  );
  const found: [Diversion, string][] = [
    ...filters.flat(),
    ...devices.flatMap(({ ifname, xdp }): [Diversion, string][] =>
      xdp === undefined ? [] : [['packets.programmed', `an XDP program is attached to ${ifname}`]],
    ),
    ...ruled(chains, feeds, ports),
  ];
  // The first of a kind stays.
  return new Map(found.reverse());
}

interface Link {
  readonly ifname: string;
  readonly xdp?: object;
  readonly linkinfo?: { readonly info_kind?: string };
}

interface Qdisc {
  readonly kind: string;
  readonly dev: string;
}

interface Filter {
  readonly kind: string;
  readonly options?: { readonly actions?: readonly { kind: string; mirred_action?: string; to_dev?: string }[] };
}

/** What an ifb device is given comes back to where it was. */
function filtersOf(dev: string, text: string | undefined, devices: readonly Link[]): [Diversion, string][] {
  const isBack = (name: string) => devices.some(({ ifname, linkinfo }) => ifname === name && linkinfo?.info_kind === 'ifb'); // prettier-ignore
  return parsed<Filter>(text).flatMap(({ kind, options }): [Diversion, string][] => [
    ...(options?.actions ?? [])
      .filter((action) => action.kind === 'mirred' && action.mirred_action === 'redirect' && !isBack(action.to_dev ?? ''))
      .map(({ to_dev: to = '?' }): [Diversion, string] => ['packets.diverted', `tc redirects what comes by ${dev} to ${to}`]),
    ...(kind === 'bpf' && options !== undefined
      ? [['packets.programmed', `tc has a BPF program at ${dev}`] as [Diversion, string]]
      : []),
  ]); // prettier-ignore
}

/** nft's `fwd`; TPROXY and REDIRECT, unless what this host begins comes to the queue too. */
function ruled(chains: Ruleset['chains'], feeds: readonly Feed[], pinned: Ports): [Diversion, string][] {
  const isLocal = feeds.some(({ hook }) => hook === 'output');
  const follower = new Follower(chains, [0, 0]);
  const forwarded = new Set(
    chains.filter(({ hook }) => hook === 'prerouting').flatMap((chain) => [...follower.reach(chain)]),
  );
  return chains.flatMap((chain) =>
    chain.rules.flatMap(({ text, ports, protocol }): [Diversion, string][] => {
      const isPinned = protocol !== 'udp' && (ports === undefined || intersection(ports, pinned).length > 0);
      const isForwarding = FORWARDING.test(text);
      const isProxying = !isLocal && isPinned && forwarded.has(chain) && PROXYING.test(text);
      if (!isForwarding && !isProxying) return [];
      const what = isForwarding ? 'sends packets out of another device' : 'hands connections to a program of this host';
      return [['packets.diverted', `a rule of ${chain.table} ${chain.name} ${what} (${shortened(text)})`]];
    }),
  );
}

function parsed<T>(text: string | undefined): readonly T[] {
  try {
    return JSON.parse(text ?? '[]') as T[];
  } catch {
    return [];
  }
}

const FORWARDING = /\{"fwd":/;
const PROXYING = /(?:^| )-j (?:REDIRECT|TPROXY)\b|\{"(?:redirect|tproxy)":/;
