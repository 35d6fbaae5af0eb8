import { expect, it } from 'vitest';

import type { Policy } from '../../../src/pins/policy.ts';
import { match, PINNED, pinset, policy } from '../../support/policy.ts';
/** As nft 1.0.6 prints what `tlspin rules --queue-udp` has put in place. */
import RECORDED from './nft-ruleset.json' with { type: 'json' };
import { feedsOf } from '../../../src/runtime/rules/feeds.ts';
import { unseenQuic } from '../../../src/runtime/rules/quic.ts';
import { type Chain, iptablesChains, nftChains } from '../../../src/runtime/rules/ruleset.ts';

const refusing = (of: object = {}) =>
  policy({
    pinsets: [pinset(0, { situations: { ...PINNED, quic: 'reject' }, match: match(of) })],
    ports: [[443, 443]],
  });
const NOT_LEFT = ['forwarded IPv4 to UDP port 443'];

const found = (chains: readonly Chain[], of = refusing()) => unseenQuic({ chains }, feedsOf({ chains }, [0, 0]), of);

/** Rules of others, and in the security table what feeds TCP. */
function filter(lines: string, policies = 'ACCEPT'): Chain[] {
  const text = `*filter\n:FORWARD ${policies} [0:0]\n:tlspin-quic - [0:0]\n:x - [0:0]\n${lines}\nCOMMIT
*security\n:FORWARD ACCEPT [0:0]\n-A FORWARD -p tcp -j NFQUEUE --queue-num 0\nCOMMIT\n`;
  return iptablesChains(text, 'ipv4');
}

const REJECT = '-p udp -m multiport --dports 443 -j REJECT --reject-with icmp-port-unreachable';

it.each([
  ['our own chain', `-A FORWARD -p udp -j tlspin-quic\n-A tlspin-quic ${REJECT}`],
  ['a rule of others', '-A FORWARD -p udp -m udp --dport 443 -j DROP'],
  [
    'a rule of others for some clients, which somebody has thought of',
    '-A FORWARD -s 10.0.0.0/8 -p udp -m udp --dport 400:500 -j REJECT',
  ],
  ['a chain of others', '-A FORWARD -j x\n-A x -p udp -j DROP'],
])('QUIC that %s refuses is told of nowhere', (_, lines) => {
  expect(found(filter(lines))).toEqual([]);
});

it('nor what the policy of a chain drops', () => {
  expect(found(filter('-A FORWARD -p tcp -j ACCEPT\n-A FORWARD -p udp -m udp --dport 53 -j ACCEPT', 'DROP'))).toEqual(
    [],
  );
});

it.each([
  ['nobody refuses it', '', 'ACCEPT'],
  ['another port is refused', '-A FORWARD -p udp -m udp --dport 80 -j DROP', 'ACCEPT'],
  ['a rule lets it go', '-A FORWARD -i lan0 -j ACCEPT', 'DROP'],
  [
    'a rule ahead of ours lets it go',
    `-A FORWARD -p udp -j ACCEPT\n-A FORWARD -p udp -j tlspin-quic\n-A tlspin-quic ${REJECT}`,
    'ACCEPT',
  ],
  [
    'ours refuse it to one server only',
    `-A FORWARD -p udp -j tlspin-quic\n-A tlspin-quic -d 192.0.2.7/32 ${REJECT}`,
    'ACCEPT',
  ],
  ['what is wrong is dropped', '-A FORWARD -m conntrack --ctstate INVALID -j DROP', 'ACCEPT'],
  ['an interface has none of it', '-A FORWARD -i wan0 -j DROP', 'ACCEPT'],
])('where %s it is', (_, lines, policies) => {
  expect(found(filter(lines, policies))).toEqual(NOT_LEFT);
});

it.each([
  ['reports only', { mode: 'report-only' }],
  ['accepts QUIC', { situations: { ...PINNED, quic: 'accept' } }],
] as const)('of a pinset that %s nothing is', (_, how) => {
  expect(found(filter(''), policy({ pinsets: [pinset(0, how)], ports: [[443, 443]] }))).toEqual([]);
});

it('of pinsets that a fleet may still send nothing is', () => {
  const nobody = { pinsets: [], ports: [[443, 443]] as const };
  expect(found(filter(''), policy({ ...nobody, fleet: { name: 'office' } as Policy['fleet'] }))).toEqual([]);
});

it('of a pinset of addresses ours are as they were printed', () => {
  const of = refusing({ addresses: [{ address: Uint8Array.of(192, 0, 2, 7), prefix: 32 }] });
  expect(found(filter(`-A FORWARD -p udp -j tlspin-quic\n-A tlspin-quic -d 192.0.2.7/32 ${REJECT}`), of)).toEqual([]);
  expect(found(filter(''), of)).toEqual(NOT_LEFT);
});

it('what is queued is not unseen', () => {
  expect(found(nftChains(JSON.stringify(RECORDED.forward)))).toEqual([]);
});
