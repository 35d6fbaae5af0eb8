import { expect, it } from 'vitest';

import { readWays } from '../../../src/runtime/rules/probe-way.ts';

const MARK = 0x40_0000;
const RULES = [
  { priority: 0, src: 'all', table: 'local' },
  { priority: 64, src: 'all', fwmark: '0x400000', fwmask: '0x400000', iif: 'lo', goto: '66' },
  { priority: 65, src: 'all', fwmark: '0x400000', fwmask: '0x400000', table: '7468' },
  { priority: 66, src: 'all', action: 'nop' },
];
const ROUTES = 'local default dev lo scope host \n';
const IPTABLES =
  '-m conntrack --ctdir REPLY -m connmark --mark 0x400000/0x400000 -j MARK --set-xmark 0x400000/0x400000';

/** What `ip` prints, of both families; which of them answers come back of. */
function ways(rules: object[], routes: string, own: Record<string, string>) {
  const run = (_: string, args: readonly string[]) =>
    Promise.resolve(args.includes('rule') ? JSON.stringify(rules) : routes);
  return readWays(run, new Map(Object.entries(own)), MARK);
}

it('there is a way where answers are marked, taken by their mark, and local', async () => {
  const own = { 'ipv4 mangle tlspin-probe-in': IPTABLES };
  expect([...(await ways(RULES, ROUTES, own))]).toEqual(['ipv4']);
  const nft = '{"mangle":{"value":{"|":[{"meta":{"key":"mark"}},4194304]}}}';
  expect([...(await ways(RULES, ROUTES, { 'ipv6 inet tlspin probe_prerouting': nft }))]).toEqual(['ipv6']);
});

it.each([
  ['nothing marks them', RULES, ROUTES, {}],
  ['they are marked otherwise', RULES, ROUTES, { 'ipv4 mangle tlspin-probe-in': '-j MARK --set-xmark 0x8/0x8' }],
  ['nothing takes them', RULES.filter(({ priority }) => priority !== 65), ROUTES, undefined],
  ['what leaves would be taken too', RULES.filter(({ priority }) => priority !== 64), ROUTES, undefined],
  ['they are not local there', RULES, '', undefined],
])('there is none where %s', async (_, rules, routes, own = { 'ipv4 mangle tlspin-probe-in': IPTABLES }) => {
  expect([...(await ways(rules, routes, own))]).toEqual([]);
});

it('there is none where `ip` is missing, or says what is no list', async () => {
  const own = new Map([['ipv4 mangle tlspin-probe-in', IPTABLES]]);
  for (const said of [undefined, 'Option "-j" is unknown']) {
    const returning = await readWays(() => Promise.resolve(said), own, MARK);
    expect(returning.size).toBe(0);
  }
});
