import { expect, it } from 'vitest';

import type { Surroundings } from '../../../src/runtime/doctor/finding.ts';
import { lookAtHost } from '../../../src/runtime/doctor/host.ts';
import type { Device } from '../../../src/runtime/rules/beside/devices.ts';
import type { Feed } from '../../../src/runtime/rules/feeds.ts';
import { pinset, PINNED, policy } from '../../support/policy.ts';

const FORWARD = [{ hook: 'forward', family: 'ipv4', table: 'ipv4 security' } as Feed];
/** One with two ports. */
const BRIDGE = [1, 2, 3].map((index): Device => ({
  index,
  name: ['br0', 'eth0', 'eth1'][index - 1]!,
  kind: index === 1 ? 'bridge' : undefined,
  master: index === 1 ? undefined : 1,
  hasXdp: false,
  hasTcx: false,
  shows: [],
  filtersVlans: false,
}));
const WELL: Readonly<Record<string, string>> = {
  '/proc/sys/net/netfilter/nf_conntrack_count': '5',
  '/proc/sys/net/netfilter/nf_conntrack_max': '1000',
  '/proc/sys/net/netfilter/nf_conntrack_tcp_be_liberal': '0',
  '/proc/sys/net/ipv4/ip_forward': '1',
  '/proc/sys/net/ipv4/conf/all/forwarding': '1',
  '/proc/sys/net/ipv4/conf/all/rp_filter': '2',
  '/run/systemd/timesync/synchronized': '',
};

async function found(files: Readonly<Record<string, string>>, programs: Readonly<Record<string, string>> = {}) {
  const all = { ...WELL, ...files };
  const around: Surroundings = {
    run: async (program) => programs[program],
    read: (path) => (all[path] === 'gone' ? undefined : all[path]),
    list: (path) => [
      ...new Set(
        Object.keys(all).flatMap((name) =>
          name.startsWith(`${path}/`) ? [name.slice(path.length + 1).split('/')[0]!] : [],
        ),
      ),
    ],
    devices: { read: () => (all['bridge'] === undefined ? [] : BRIDGE), filtered: () => new Set() },
    environment: {},
  };
  const asking = policy({ pinsets: [pinset(0, { situations: { ...PINNED, tls13: 'probe' } })] });
  const findings = await lookAtHost(around, asking, FORWARD);
  return findings.filter(({ gravity }) => gravity !== 'fine').map(({ code, gravity }) => `${code} ${gravity}`);
}

const ROUTE = { ip: 'default via 192.0.2.1 dev eth0' };

it('nothing is wrong where all is well', async () => {
  expect(await found({}, ROUTE)).toEqual([]);
});

it.each([
  ['conntrack is nearly full', { '/proc/sys/net/netfilter/nf_conntrack_count': '900' }, 'conntrack.full degraded'],
  ['conntrack is not there', { '/proc/sys/net/netfilter/nf_conntrack_max': 'gone' }, 'conntrack.missing note'],
  ['a bridge carries frames by', { bridge: 'br0' }, 'host.bridge note'],
  [
    'a bridge carries frames by, and there is no other way',
    { bridge: 'br0', '/proc/sys/net/ipv4/conf/all/forwarding': '0', '/proc/sys/net/ipv4/ip_forward': '0' },
    'bridge.unseen unprotected',
  ],
  [
    'addresses may come from anywhere',
    { '/proc/sys/net/ipv4/conf/all/rp_filter': '0', '/proc/sys/net/ipv4/conf/eth0/rp_filter': '0' },
    'host.reverse-path note',
  ],
  [
    'nobody says whether the clock is right',
    { '/run/systemd/timesync/synchronized': 'gone' },
    'clock.unsynchronised note',
  ],
])('%s', async (_, files, finding) => {
  expect(await found(files, ROUTE)).toEqual([finding]);
});

it('a bridge whose frames the rules see is fine', async () => {
  const calls = (name: string) => `/proc/sys/net/bridge/bridge-nf-call-${name}`;
  const files = { bridge: 'br0', [calls('iptables')]: '1', [calls('ip6tables')]: '1' };
  expect(await found(files, ROUTE)).toEqual([]);
});

it('probes want a route', async () => {
  expect(await found({}, { ip: '' })).toEqual(['probe.route degraded']);
  // Or a bridge to take.
  const calls = (name: string) => `/proc/sys/net/bridge/bridge-nf-call-${name}`;
  const files = { bridge: 'br0', [calls('iptables')]: '1', [calls('ip6tables')]: '1' };
  expect(await found(files, { ip: '' })).toEqual([]);
});

it.each([
  [{ timedatectl: 'no\n' }, ['clock.unsynchronised degraded']],
  [{ timedatectl: 'yes\n' }, []],
  [{ timedatectl: 'no\n', chronyc: 'C0A80001,192.168.0.1,3,Normal' }, []],
  [{ chronyc: '7F7F0101,,0,Not synchronised' }, ['clock.unsynchronised degraded']],
])('the clock, by %j', async (programs, findings) => {
  expect(await found({ '/run/systemd/timesync/synchronized': 'gone' }, { ...ROUTE, ...programs })).toEqual(findings);
});
