import { describe, expect, it } from 'vitest';

import { bothWays, feedsOf, missingFeeds } from '../../../src/runtime/rules/feeds.ts';
import { without } from '../../../src/runtime/rules/ports.ts';
import { iptablesChains, nftChains } from '../../../src/runtime/rules/ruleset.ts';
import { match, pinset, policy, range } from '../../support/policy.ts';

/** As iptables 1.8.9 prints what `tlspin rules` has put in place. */
const FORWARD = `*security
:INPUT ACCEPT [0:0]
:FORWARD ACCEPT [10:600]
:OUTPUT ACCEPT [0:0]
:tlspin - [0:0]
:tlspin-ask - [0:0]
:tlspin-flow - [0:0]
[12:720] -A FORWARD -p tcp -j tlspin
[7:420] -A tlspin -p tcp -m multiport --ports 443,8000:8080 -g tlspin-flow
[7:420] -A tlspin-ask -j CONNMARK --restore-mark --nfmask 0x3000000 --ctmask 0x3000000
[7:420] -A tlspin-ask -j NFQUEUE --queue-num 0
[0:0] -A tlspin-flow -m conntrack --ctstate INVALID -j DROP
[4:240] -A tlspin-flow -p tcp -m tcp --tcp-flags SYN SYN -g tlspin-ask
[0:0] -A tlspin-flow -m connmark --mark 0x1000000/0x3000000 -j RETURN
[3:180] -A tlspin-flow -g tlspin-ask
COMMIT
`;

const feeds = (text: string, queues: readonly [number, number] = [0, 0]) =>
  feedsOf({ chains: iptablesChains(text, 'ipv4') }, queues);
const rule = (rule: string, text = FORWARD) => text.replace(':tlspin -', `${rule}\n:tlspin -`);
const shown = (text: string, queues?: readonly [number, number]) =>
  feeds(text, queues).feeds.map(({ hook, protocol, ports }) => [hook, protocol, ports]);
const FED = [
  [
    'forward',
    'tcp',
    [
      [443, 443],
      [8000, 8080],
    ],
  ],
];

describe('what feeds a queue', () => {
  it('is found behind jumps, with its ports', () => {
    expect(shown(FORWARD)).toEqual(FED);
    expect(feeds(FORWARD).feeds[0]!.rule.packets).toBe(7);
    expect([...feeds(FORWARD).own.keys()]).toEqual(
      ['tlspin', 'tlspin-flow', 'tlspin-ask'].map((name) => `ipv4 security ${name}`),
    );
  });

  it.each([
    ['to another queue', FORWARD.replace('--queue-num 0', '--queue-num 1')],
    ['that nothing jumps to', FORWARD.replace(/.*-A FORWARD.*\n/, '')],
    ['behind a rule that accepts all', rule('-A FORWARD -j ACCEPT')],
    [
      'behind one that accepts TCP, whatever its comment says',
      rule('-A FORWARD -p tcp -m comment --comment "-m mark" -j ACCEPT'),
    ],
    ['behind a return', FORWARD.replace('[7:420] -A tlspin -p', '-A tlspin -j RETURN\n[7:420] -A tlspin -p')],
    ['behind a chain that accepts', rule(':x - [0:0]\n-A x -j ACCEPT\n-A FORWARD -j x')],
  ])('is nothing %s', (_, text) => {
    expect(shown(text)).toEqual([]);
  });

  it.each([
    ['asks for more than protocol and ports', rule('-A FORWARD -m mark --mark 0x1 -j ACCEPT')],
    ['is of another protocol', rule('-A FORWARD -p udp -j ACCEPT')],
    ['goes on', rule('-A FORWARD -j LOG --log-prefix "-j ACCEPT"')],
    ['jumps to what comes back', rule(':x - [0:0]\n-A x -p icmp -j DROP\n-A x -j RETURN\n-A FORWARD -j x')],
  ])('is as before behind a rule that %s', (_, text) => {
    expect(shown(text)).toEqual(FED);
  });

  it('is less by the ports that a rule ahead of it takes', () => {
    expect(shown(rule('-A FORWARD -p tcp -m tcp --dport 443 -j ACCEPT'))).toEqual([['forward', 'tcp', [[8000, 8080]]]]);
  });

  it('may be one of several queues', () => {
    const balanced = FORWARD.replace('--queue-num 0', '--queue-balance 0:3 --queue-bypass');
    expect(shown(balanced, [2, 2])).toEqual(FED);
    expect(feeds(balanced).feeds[0]!.bypass).toBe(true);
  });
});

describe('of nft', () => {
  const chain = (name: string, hook?: string) => ({
    chain: { family: 'inet', table: 'tlspin', name, ...(hook && { hook }) },
  });
  const rule = (chain: string, ...expr: object[]) => ({ rule: { family: 'inet', table: 'tlspin', chain, expr } });
  const ports = {
    match: {
      op: '==',
      left: { payload: { protocol: 'tcp', field: 'dport' } },
      right: { set: [443, { range: [8000, 8080] }] },
    },
  };
  const text = JSON.stringify({
    nftables: [
      chain('flows_forward'),
      rule('flows_forward', { match: { op: '==', left: { ct: { key: 'state' } }, right: 'invalid' } }, { drop: null }),
      rule('flows_forward', { queue: { num: { range: [0, 3] }, flags: 'bypass' } }),
      chain('queue_forward', 'forward'),
      rule('queue_forward', ports, { goto: { target: 'flows_forward' } }),
    ],
  });

  it('both families are fed by one table', () => {
    const { feeds } = feedsOf({ chains: nftChains(text) }, [1, 1]);
    expect(feeds.map(({ family, ports, bypass }) => [family, ports, bypass])).toEqual([
      [
        'ipv4',
        [
          [443, 443],
          [8000, 8080],
        ],
        true,
      ],
      [
        'ipv6',
        [
          [443, 443],
          [8000, 8080],
        ],
        true,
      ],
    ]);
  });

  it('what is no JSON has no chains', () => {
    expect(nftChains('nft: not found')).toEqual([]);
  });
});

describe('what is missing', () => {
  const V4 = match({ addresses: [range('198.51.100.0/24')] });
  const missing = (text: string, ports: [number, number][], previously: string[] = []) =>
    missingFeeds(
      { chains: iptablesChains(text, 'ipv4') },
      feeds(text),
      policy({ ports, pinsets: [pinset(0, { match: V4 })] }),
      [0, 0],
      previously,
    ).partial;

  it('is nothing where all ports are fed', () => {
    expect(
      missing(FORWARD, [
        [443, 443],
        [8001, 8002],
      ]),
    ).toEqual([]);
  });

  it('are ports', () => {
    expect(
      missing(FORWARD, [
        [443, 444],
        [993, 993],
      ]),
    ).toEqual(['forwarded IPv4 of port 444, 993']);
  });

  it('is a direction of the host’s own connections', () => {
    const out = FORWARD.replace('-A FORWARD', '-A OUTPUT');
    expect(missing(out, [[443, 443]])).toEqual(['incoming IPv4 of port 443']);
  });

  it('is a family that pins are for', () => {
    const both = policy({ pinsets: [pinset(0)] });
    const ruleset = { chains: iptablesChains(FORWARD, 'ipv4') };
    expect(missingFeeds(ruleset, feeds(FORWARD), both, [0, 0]).partial).toEqual(['IPv6']);
  });

  it('is what was there before', () => {
    expect(missing(FORWARD, [[443, 443]], ['ipv4 ipv4 mangle tlspin-guard'])).toEqual([
      'what was in ipv4 ipv4 mangle tlspin-guard',
    ]);
  });
});

it('ports are taken out of ranges', () => {
  expect(
    without(
      [[1, 10]],
      [
        [3, 4],
        [10, 12],
      ],
    ),
  ).toEqual([
    [1, 2],
    [5, 9],
  ]);
});

it('what feeds the queue with probes is told apart: nothing is asked of it, and nothing missed', () => {
  const text = `*security
:OUTPUT ACCEPT [0:0]
:tlspin-probe-leave - [0:0]
-A OUTPUT -p tcp -m addrtype ! --src-type LOCAL -j tlspin-probe-leave
-A tlspin-probe-leave -m connmark --mark 0x400000/0x400000 -j NFQUEUE --queue-num 0
COMMIT
*mangle
:INPUT ACCEPT [0:0]
:tlspin-probe-come - [0:0]
-A INPUT -p tcp -m addrtype ! --dst-type LOCAL -j tlspin-probe-come
-A tlspin-probe-come -m connmark --mark 0x400000/0x400000 -j NFQUEUE --queue-num 0
COMMIT
`;
  const found = feeds(`${FORWARD}${text}`);
  expect(found.feeds.map(({ hook }) => hook)).toEqual(['forward']);
  expect(found.probes.map(({ hook }) => hook).sort()).toEqual(['input', 'output']);
  expect([...bothWays(found.probes)]).toEqual(['ipv4']);
  expect([...bothWays(feeds(text.replace(/\*mangle[^]*/, '')).probes)]).toEqual([]);
  expect(feeds(text).feeds).toEqual([]);
});
