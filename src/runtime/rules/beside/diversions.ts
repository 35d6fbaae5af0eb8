/**
 * What leads packets past the chains in which they would be queued, or has them first: programs and filters at a device (XDP,
 * tcx, tc), nft's `fwd`, rules and routes that hand connections to a program of this host, IPVS. Reads what the kernel and
 * `tc`, `ip` and `nft` tell; where a program is missing, so is that.
 */
import type { ReadFile } from './kernel-file.ts';
import type { Device, Devices } from './devices.ts';
import type { Feed } from '../feeds.ts';
import { Follower } from '../follow.ts';
import { localRoutes } from './local-routes.ts';
import type { Ports } from '../plan.ts';
import { intersection } from '../ports.ts';
import { parsed, type RunProgram } from '../../programs/program.ts';
import { type Ruleset, shortened } from '../ruleset.ts';
import { VIRTUAL_SERVERS, virtualServers } from './virtual-servers.ts';

export type Diversion = 'packets.diverted' | 'packets.programmed';

/** Where it is looked for. */
export interface Ground {
  readonly run: RunProgram;
  readonly read: ReadFile;
  /** Undefined where the kernel lets nobody ask. */
  readonly devices: Pick<Devices, 'read' | 'filtered'> | undefined;
}

/** In words, each kind once. */
export async function findDiversions(
  { run, read, devices }: Ground,
  { chains }: Pick<Ruleset, 'chains'>,
  feeds: readonly Feed[],
  ports: Ports,
): Promise<Map<Diversion, string>> {
  const all = devices?.read() ?? [];
  const filtered = devices?.filtered() ?? new Set();
  const isLocal = feeds.some(({ hook }) => hook === 'output');
  const [routes, ...filters] = await Promise.all([
    isLocal ? [] : localRoutes(run),
    ...all.filter(({ index }) => filtered.has(index)).map(({ name }) => filtersAt(name, all, run)),
  ]);
  const found: [Diversion, string][] = [
    ...filters.flat(),
    ...all.flatMap(programsOf),
    ...virtualServers(read(VIRTUAL_SERVERS), ports).map(programmed),
    ...routes.map(diverted),
    ...ruled(chains, isLocal, ports),
  ];
  // The first of a kind stays.
  return new Map(found.reverse());
}

function diverted(what: string): [Diversion, string] {
  return ['packets.diverted', what];
}

function programmed(what: string): [Diversion, string] {
  return ['packets.programmed', what];
}

function programsOf({ name, hasXdp, hasTcx }: Device): [Diversion, string][] {
  return [
    ...(hasXdp ? [programmed(`an XDP program is attached to ${name}`)] : []),
    ...(hasTcx ? [programmed(`a BPF program is attached to ${name} (tcx)`)] : []),
  ];
}

interface Filter {
  readonly kind: string;
  readonly options?: { readonly actions?: readonly Action[] };
}

interface Action {
  readonly kind: string;
  readonly mirred_action?: string;
  readonly to_dev?: string;
  /** Of `ct`: the connection's. */
  readonly mark?: unknown;
}

async function filtersAt(name: string, devices: readonly Device[], run: RunProgram): Promise<[Diversion, string][]> {
  const text = await run('tc', ['-j', 'filter', 'show', 'dev', name, 'ingress']);
  if (text === undefined) return [programmed(`${name} has filters of tc, which cannot be read`)];
  // What an ifb device is given comes back to where it was.
  const isBack = (to: string) => devices.some((device) => device.name === to && device.kind === 'ifb');
  return parsed<Filter>(text).flatMap(({ kind, options }) => [
    ...(options?.actions ?? []).flatMap((action) => actionAt(name, action, isBack)),
    ...(kind === 'bpf' && options !== undefined ? [programmed(`tc has a BPF program at ${name}`)] : []),
  ]);
}

function actionAt(
  name: string,
  { kind, mirred_action: does, to_dev: to = '?', mark }: Action,
  isBack: (to: string) => boolean,
): [Diversion, string][] {
  if (kind === 'ct' && mark !== undefined) return [programmed(`tc marks connections of what comes by ${name}`)];
  if (kind !== 'mirred' || does !== 'redirect' || isBack(to)) return [];
  return [diverted(`tc redirects what comes by ${name} to ${to}`)];
}

/** nft's `fwd`; TPROXY and REDIRECT, unless what this host begins comes to the queue too. */
function ruled(chains: Ruleset['chains'], isLocal: boolean, pinned: Ports): [Diversion, string][] {
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
      return [diverted(`a rule of ${chain.table} ${chain.name} ${what} (${shortened(text)})`)];
    }),
  );
}

const FORWARDING = /\{"fwd":/;
const PROXYING = /(?:^| )-j (?:REDIRECT|TPROXY)\b|\{"(?:redirect|tproxy)":/;
