/** What of the machine itself bears on protection: the kernel's settings, conntrack, bridges, routes and the clock. */
import type { Policy } from '../../pins/policy.ts';
import { asksServers } from '../../pins/probe.ts';
import { BridgedBefore } from '../protection/bridged.ts';
import { bridgesIn, FORWARDING } from '../rules/beside/bridges.ts';
import { isLiberal, LIBERAL } from '../rules/beside/conntrack.ts';
import type { Feed } from '../rules/feeds.ts';
import { FAMILIES } from '../rules/plan.ts';
import { few } from '../rules/ports.ts';
import { condition, type Finding, type Surroundings } from './finding.ts';

export async function lookAtHost(around: Surroundings, policy: Policy, feeds: readonly Feed[]): Promise<Finding[]> {
  const forwards = feeds.some(({ hook }) => hook === 'forward');
  return [
    ...conntrack(around),
    ...(forwards ? [...forwarding(around), ...bridges(around, feeds)] : []),
    ...reversePath(around),
    ...(asksServers(policy) ? await probes(around) : []),
    ...(await clock(around)),
  ];
}

function conntrack({ read }: Surroundings): Finding[] {
  const setting = (name: string) => read(`/proc/sys/net/netfilter/nf_conntrack_${name}`);
  const [count, max] = [setting('count'), setting('max')].map(Number);
  if (Number.isNaN(max)) {
    const mend = 'apply the rules, which load it';
    return [{ code: 'conntrack.missing', gravity: 'note', detail: 'connection tracking is not loaded', mend }];
  }
  const findings: Finding[] = [];
  if (isLiberal(read(LIBERAL))) {
    findings.push(condition('conntrack.liberal', 'nf_conntrack_tcp_be_liberal is on'));
  }
  if (count! > max! * FULL) {
    findings.push({
      code: 'conntrack.full',
      gravity: 'degraded',
      detail: `conntrack has ${count} of ${max} connections: where it is full, new ones are dropped`,
      mend: `sysctl -w net.netfilter.nf_conntrack_max=${max! * 4}`,
    });
  }
  const established = Number(setting('tcp_timeout_established') ?? Infinity);
  if (established < SHORT_SECONDS) {
    findings.push({
      code: 'conntrack.short',
      gravity: 'degraded',
      detail: `conntrack forgets connections after ${established} s of silence, and their decision with them: they are reset`,
      mend: 'sysctl -w net.netfilter.nf_conntrack_tcp_timeout_established=432000',
    });
  }
  if (findings.length > 0) return findings;
  return [{ code: 'conntrack', gravity: 'fine', detail: `conntrack has ${count} of ${max} connections` }];
}

/** A bridge may be the only way, and meant so. */
function forwarding({ read, devices }: Surroundings): Finding[] {
  if (read(FORWARDING) !== '0' || bridgesIn(devices?.read() ?? [], read).length > 0) return [];
  const detail = 'the rules are for what is forwarded, and nothing is (net.ipv4.ip_forward is 0)';
  const mend = "sysctl -w net.ipv4.ip_forward=1, or print the rules for the host's own connections (--hook local)";
  return [{ code: 'host.forwarding', gravity: 'degraded', detail, mend }];
}

/** That they take something from protection an engine knows that has seen it otherwise, and who sees that nothing is forwarded. */
function bridges(around: Surroundings, feeds: readonly Feed[]): Finding[] {
  const devices = around.devices?.read() ?? [];
  const only = new BridgedBefore().unseen(devices, feeds, around.read);
  if (only !== undefined) return [condition('bridge.unseen', only)];
  const hidden = bridgesIn(devices, around.read).filter(({ shows }) => shows.length < FAMILIES.length);
  if (hidden.length === 0) return [];
  return [
    {
      code: 'host.bridge',
      gravity: 'note',
      detail: `what goes from one port of the bridge ${few(hidden.map(({ name }) => name))} to another is not seen by the rules`,
      mend: 'where pinned clients are on it: modprobe br_netfilter; sysctl -w net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1',
    },
  ];
}

/** Anybody behind an interface could speak in the name of a client behind another one. */
function reversePath({ read, list }: Surroundings): Finding[] {
  const conf = '/proc/sys/net/ipv4/conf';
  if (read(`${conf}/all/rp_filter`) !== '0') return [];
  const open = list(conf).filter(
    (name) => !['all', 'default', 'lo'].includes(name) && read(`${conf}/${name}/rp_filter`) === '0',
  );
  if (open.length === 0) return [];
  return [
    {
      code: 'host.reverse-path',
      gravity: 'note',
      detail: `addresses are not held to where they come from (rp_filter is 0: ${open.slice(0, SHOWN).join(', ')})`,
      mend: 'sysctl -w net.ipv4.conf.all.rp_filter=2 (or 1, where each address has one way)',
    },
  ];
}

async function probes({ run, read, devices }: Surroundings): Promise<Finding[]> {
  const routes = await Promise.all(
    ['-4', '-6'].map(async (family) => (await run('ip', [family, 'route', 'show', 'default'])) ?? ''),
  );
  if (routes.some((text) => text.trim() !== ''))
    return [{ code: 'probe.route', gravity: 'fine', detail: 'probes have a route' }];
  if (bridgesIn(devices?.read() ?? [], read).some(({ shows }) => shows.length > 0)) {
    const detail = 'probes have no default route; those of clients behind a bridge take the bridge';
    return [{ code: 'probe.route', gravity: 'fine', detail }];
  }
  return [
    {
      code: 'probe.route',
      gravity: 'degraded',
      detail: 'servers are to be asked by probes, and this host has no default route to them',
      mend: 'give it one, or use "tls13": "keylog" or "deny"',
    },
  ];
}

/** Dates of pins and certificates go by it. */
async function clock({ run, read }: Surroundings): Promise<Finding[]> {
  const [timedate, chrony] = await Promise.all([
    run('timedatectl', ['show', '-p', 'NTPSynchronized', '--value']),
    run('chronyc', ['-c', 'tracking']),
  ]);
  const isKept =
    read('/run/systemd/timesync/synchronized') !== undefined ||
    timedate?.trim() === 'yes' ||
    (chrony !== undefined && !chrony.includes('Not synchronised'));
  if (isKept) return [{ code: 'clock', gravity: 'fine', detail: 'the clock is kept right' }];
  const isKnown = timedate !== undefined || chrony !== undefined;
  const detail = isKnown ? 'the clock is not synchronised' : 'whether the clock is kept right is not known';
  const mend = 'run an NTP client (systemd-timesyncd, chrony): dates of pins and certificates go by the clock';
  return [{ code: 'clock.unsynchronised', gravity: isKnown ? 'degraded' : 'note', detail, mend }];
}

const FULL = 0.8;
const SHORT_SECONDS = 600;
const SHOWN = 4;
