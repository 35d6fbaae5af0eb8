import { expect, it } from 'vitest';

import { findDiversions } from '../../../src/runtime/rules/diversions.ts';
import type { Feed } from '../../../src/runtime/rules/feeds.ts';
import { type Chain, iptablesChains, nftChains } from '../../../src/runtime/rules/ruleset.ts';

/** As iproute2 6.1 prints them. */
const LINKS = JSON.stringify([
  { ifindex: 1, ifname: 'lo' },
  { ifindex: 2, ifname: 'eth0', linkinfo: {} },
  { ifindex: 3, ifname: 'ifb0', linkinfo: { info_kind: 'ifb' } },
]);
const QDISCS = JSON.stringify([
  { kind: 'noqueue', handle: '0:', dev: 'lo', root: true, refcnt: 2, options: {} },
  { kind: 'clsact', handle: 'ffff:', dev: 'eth0', parent: 'ffff:fff1', options: {} },
]);
const filter = (kind: string, options: object) =>
  JSON.stringify([{ protocol: 'all', pref: 49152, kind, chain: 0 }, { protocol: 'all', pref: 49152, kind, chain: 0, options }]); // prettier-ignore
const mirred = (mirred_action: string, to_dev: string) =>
  filter('matchall', {
    handle: 1,
    actions: [{ order: 1, kind: 'mirred', mirred_action, direction: 'egress', to_dev }],
  });

const found = async (programs: Readonly<Record<string, string>>, chains: readonly Chain[] = [], hooks: string[] = ['forward']) =>
  [...(await findDiversions(async (program, args) => programs[args.includes('filter') ? 'filter' : program], { chains }, hooks.map((hook) => ({ hook }) as Feed), [[443, 443]]))]; // prettier-ignore

it.each([
  ['redirects to another device', { filter: mirred('redirect', 'eth1') }, [['packets.diverted', 'tc redirects what comes by eth0 to eth1']]],
  ['redirects to an ifb, from where it comes back', { filter: mirred('redirect', 'ifb0') }, []],
  ['sends copies elsewhere', { filter: mirred('mirror', 'eth1') }, []],
  ['polices', { filter: filter('matchall', { handle: 1, actions: [{ order: 1, kind: 'police' }] }) }, []],
  ['has a BPF program', { filter: filter('bpf', { handle: '0x1', bpf_name: 'x.o:[cls]', 'direct-action': true }) }, [['packets.programmed', 'tc has a BPF program at eth0']]],
  ['is not there', {}, []],
])('tc %s', async (_, programs, told) => {
  expect(await found({ ip: LINKS, tc: QDISCS, ...programs })).toEqual(told);
}); // prettier-ignore

it('a program of XDP is told of', async () => {
  const ip = JSON.stringify([{ ifname: 'eth0', xdp: { mode: 2, prog: { id: 7, name: 'lb' } } }]);
  expect(await found({ ip })).toEqual([['packets.programmed', 'an XDP program is attached to eth0']]);
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
  ['REDIRECT of a port that is not pinned', nat('-p tcp -m tcp --dport 80 -j REDIRECT --to-ports 3128'), ['forward'], false],
  ['REDIRECT to a program whose own connections are queued', nat('-p tcp -m tcp --dport 443 -j REDIRECT'), ['forward', 'output'], false],
  ['REDIRECT of what this host itself begins', iptablesChains('*nat\n:OUTPUT ACCEPT [0:0]\n-A OUTPUT -p tcp -j REDIRECT\nCOMMIT\n', 'ipv4'), ['forward'], false],
  ['REDIRECT behind a jump', iptablesChains('*nat\n:PREROUTING ACCEPT [0:0]\n:x - [0:0]\n-A PREROUTING -j x\n-A x -p tcp -j REDIRECT\nCOMMIT\n', 'ipv4'), ['forward'], true],
  ['DNAT', nat('-p tcp -m tcp --dport 443 -j DNAT --to-destination 192.0.2.7'), ['forward'], false],
])('%s', async (_, chains, hooks, isTold) => {
  expect((await found({}, chains, hooks)).map(([code]) => code)).toEqual(isTold ? ['packets.diverted'] : []);
}); // prettier-ignore
