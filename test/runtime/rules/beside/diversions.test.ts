import { expect, it } from 'vitest';

import type { Device } from '../../../../src/runtime/rules/beside/devices.ts';
import { findDiversions } from '../../../../src/runtime/rules/beside/diversions.ts';
import type { Feed } from '../../../../src/runtime/rules/feeds.ts';
import { type Chain, iptablesChains, nftChains } from '../../../../src/runtime/rules/ruleset.ts';

const device = (index: number, name: string, more: Partial<Device> = {}): Device => ({
  index,
  name,
  kind: undefined,
  master: undefined,
  hasXdp: false,
  hasTcx: false,
  shows: [],
  filtersVlans: false,
  ...more,
});
const DEVICES = [device(1, 'lo'), device(2, 'eth0'), device(3, 'ifb0', { kind: 'ifb' })];
/** As iproute2 6.1 prints them. */
const filter = (kind: string, options: object) =>
  JSON.stringify([
    { protocol: 'all', pref: 49152, kind, chain: 0 },
    { protocol: 'all', pref: 49152, kind, chain: 0, options },
  ]);
const mirred = (mirred_action: string, to_dev: string) =>
  filter('matchall', {
    handle: 1,
    actions: [{ order: 1, kind: 'mirred', mirred_action, direction: 'egress', to_dev }],
  });

interface Around {
  readonly programs?: Readonly<Record<string, string>>;
  readonly devices?: readonly Device[];
  readonly virtual?: string;
  readonly chains?: readonly Chain[];
  readonly hooks?: readonly string[];
}

/** With filters at eth0. */
async function found({ programs = {}, devices = DEVICES, virtual, chains = [], hooks = ['forward'] }: Around) {
  const run = async (program: string, args: readonly string[]) =>
    programs[[program, ...args].find((word) => word in programs) ?? ''];
  const read = (path: string) => (path === '/proc/net/ip_vs' ? virtual : undefined);
  const told = { read: () => devices, filtered: () => new Set([2]) };
  const feeds = hooks.map((hook) => ({ hook }) as Feed);
  return [...(await findDiversions({ run, read, devices: told }, { chains }, feeds, [[443, 443]]))];
}

it.each([
  [
    'redirects to another device',
    { filter: mirred('redirect', 'eth1') },
    [['packets.diverted', 'tc redirects what comes by eth0 to eth1']],
  ],
  ['redirects to an ifb, from where it comes back', { filter: mirred('redirect', 'ifb0') }, []],
  ['sends copies elsewhere', { filter: mirred('mirror', 'eth1') }, []],
  ['polices', { filter: filter('matchall', { handle: 1, actions: [{ order: 1, kind: 'police' }] }) }, []],
  [
    'has a BPF program',
    { filter: filter('bpf', { handle: '0x1', bpf_name: 'x.o:[cls]', 'direct-action': true }) },
    [['packets.programmed', 'tc has a BPF program at eth0']],
  ],
  [
    'marks connections',
    {
      filter: filter('matchall', {
        handle: 1,
        actions: [{ order: 1, kind: 'ct', action: 'commit', mark: 1, zone: 0 }],
      }),
    },
    [['packets.programmed', 'tc marks connections of what comes by eth0']],
  ],
  ['knows none', { filter: '[]' }, []],
  ['is not there', {}, [['packets.programmed', 'eth0 has filters of tc, which cannot be read']]],
])('tc %s', async (_, programs, told) => {
  expect(await found({ programs })).toEqual(told);
});

it.each([
  ['XDP', { hasXdp: true }, 'an XDP program is attached to eth0'],
  ['tcx', { hasTcx: true }, 'a BPF program is attached to eth0 (tcx)'],
])('a program of %s is told of', async (_, has, told) => {
  const filter = '[]';
  expect(await found({ programs: { filter }, devices: [device(2, 'eth0', has)] })).toEqual([
    ['packets.programmed', told],
  ]);
});

/** As iproute2 6.1 prints them: those of its addresses, and one that somebody has made. */
const routes = (...made: object[]) =>
  JSON.stringify([
    { type: 'local', dst: '127.0.0.0/8', dev: 'lo', table: 'local', protocol: 'kernel', scope: 'host', flags: [] },
    { type: 'local', dst: '::1', dev: 'lo', table: 'local', protocol: 'kernel', metric: 0, flags: [], pref: 'medium' },
    ...made.map((route) => ({ type: 'local', dev: 'lo', scope: 'host', flags: [], ...route })),
  ]);
const RULES = JSON.stringify([
  { priority: 0, src: 'all', table: 'local' },
  { priority: 32765, src: 'all', fwmark: '0x1', table: '100' },
  { priority: 32766, src: 'all', table: 'main' },
]);
const taken = (dst: string, table: string): [string, string][] => [
  ['packets.diverted', `a route of table ${table} takes ${dst} for addresses of this host`],
];

it.each([
  ['of its own addresses', routes(), ['forward'], []],
  [
    'of addresses that it does not have',
    routes({ dst: '198.51.100.0/24', table: 'local' }),
    ['forward'],
    taken('198.51.100.0/24', 'local'),
  ],
  [
    'of one such in the main table',
    routes({ dst: '198.51.100.7', protocol: 'static' }),
    ['forward'],
    taken('198.51.100.7', 'main'),
  ],
  ['that only marks lead to, as TPROXY wants it', routes({ dst: 'default', table: '100' }), ['forward'], []],
  [
    'to a program whose own connections are queued',
    routes({ dst: '198.51.100.0/24', table: 'local' }),
    ['forward', 'output'],
    [],
  ],
])('a local route %s', async (_, route, hooks, told) => {
  expect(await found({ programs: { filter: '[]', route, rule: RULES }, hooks })).toEqual(told);
});

/** As ip_vs prints it (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_info_seq_show). */
const virtual = (service: string) => `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
${service}
  -> 0A000001:01BB      Masq    1      0          0`;

it.each([
  ['TCP  C0000207:01BB rr ', ['IPVS has a service at 192.0.2.7 port 443']],
  [
    'TCP  [2001:0db8:0000:0000:0000:0000:0000:0007]:01BB wlc ',
    ['IPVS has a service at 2001:0db8:0000:0000:0000:0000:0000:0007 port 443'],
  ],
  ['TCP  C0000207:0000 rr persistent 300 FFFFFFFF', ['IPVS has a service at 192.0.2.7']],
  ['FWM  0000000A rr ', ['IPVS has a service for packets with the mark 0xA']],
  ['TCP  C0000207:0050 rr ', []],
  ['UDP  C0000207:01BB rr ', []],
])('the service %s', async (service, told) => {
  expect(await found({ programs: { filter: '[]' }, virtual: virtual(service) })).toEqual(
    told.map((text) => ['packets.programmed', text]),
  );
});

const nat = (rule: string) => iptablesChains(`*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING ${rule}\nCOMMIT\n`, 'ipv4');
const nft = (hook: string, ...expr: object[]) =>
  nftChains(
    JSON.stringify({
      nftables: [
        { chain: { family: 'netdev', table: 'x', name: 'y', hook, prio: 0 } },
        { rule: { family: 'netdev', table: 'x', chain: 'y', expr } },
      ],
    }),
  );

it.each([
  ['REDIRECT', nat('-p tcp -m tcp --dport 443 -j REDIRECT --to-ports 3129'), ['forward'], true],
  ['TPROXY', nat('-p tcp -j TPROXY --on-port 3129 --on-ip 0.0.0.0 --tproxy-mark 0x1/0x1'), ['forward'], true],
  ['nft’s redirect', nft('prerouting', { redirect: { port: 3129 } }), ['forward'], true],
  ['nft’s fwd', nft('ingress', { fwd: { dev: 'eth1' } }), ['forward', 'output'], true],
  [
    'REDIRECT of a port that is not pinned',
    nat('-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128'),
    ['forward'],
    false,
  ],
  [
    'REDIRECT to a program whose own connections are queued',
    nat('-p tcp -m tcp --dport 443 -j REDIRECT'),
    ['forward', 'output'],
    false,
  ],
  [
    'REDIRECT of what this host itself begins',
    iptablesChains('*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -j REDIRECT\nCOMMIT\n', 'ipv4'),
    ['forward'],
    false,
  ],
  [
    'REDIRECT behind a jump',
    iptablesChains(
      '*nat\n:PREROUTING ACCEPT [0:0]\n:x - [0:0]\n-A PREROUTING -j x\n-A x -p tcp -j REDIRECT\nCOMMIT\n',
      'ipv4',
    ),
    ['forward'],
    true,
  ],
  ['DNAT', nat('-p tcp -m tcp --dport 443 -j DNAT --to-destination 192.0.2.7'), ['forward'], false],
])('%s', async (_, chains, hooks, isTold) => {
  expect((await found({ programs: { filter: '[]' }, chains, hooks })).map(([code]) => code)).toEqual(
    isTold ? ['packets.diverted'] : [],
  );
});
