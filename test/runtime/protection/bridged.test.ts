import { expect, it } from 'vitest';

import { BridgedBefore } from '../../../src/runtime/protection/bridged.ts';
import type { Device } from '../../../src/runtime/rules/beside/devices.ts';
import type { Feed } from '../../../src/runtime/rules/feeds.ts';
import type { Family } from '../../../src/runtime/rules/plan.ts';

const bridge = (shows: readonly Family[], ports = 2): Device[] =>
  Array.from({ length: ports + 1 }, (_, index) => ({
    index,
    name: index === 0 ? 'br0' : `eth${index}`,
    kind: index === 0 ? 'bridge' : undefined,
    master: index === 0 ? undefined : 0,
    hasXdp: false,
    hasTcx: false,
    shows,
    filtersVlans: false,
  }));

const feed = (family: Family, table = `${family} security`, hook = 'forward') => ({ family, table, hook }) as Feed;
const FED = [feed('ipv4'), feed('ipv6')];
const CALLS = '/proc/sys/net/bridge/bridge-nf-call-';

/** With these settings at 1. */
const files =
  (...set: string[]) =>
  (path: string) =>
    set.includes(path) ? '1' : '0';
const forwarding = '/proc/sys/net/ipv4/conf/all/forwarding';

it('a bridge that never was shown to the rules is nothing to tell of beside what is forwarded', () => {
  expect(new BridgedBefore().unseen(bridge([]), FED, files(forwarding))).toBeUndefined();
});

it('where nothing is forwarded otherwise, it is', () => {
  expect(new BridgedBefore().unseen(bridge([]), FED, files())).toBe(
    'the rules are not shown IPv4 and IPv6 from port to port of br0',
  );
  const one = new BridgedBefore().unseen(bridge([]), FED, files(`${CALLS}ip6tables`));
  expect(one).toBe('the rules are not shown IPv4 from port to port of br0');
});

it.each([
  ['has one port', bridge([], 1), FED],
  ['shows all by itself', bridge(['ipv4', 'ipv6']), FED],
  ['has rules of its own', bridge([]), [feed('ipv4', 'bridge x'), feed('ipv6', 'bridge x')]],
  ['is beside rules of this host’s own connections', bridge([]), [feed('ipv4', 'ipv4 security', 'output')]],
])('but not where it %s', (_, devices, feeds) => {
  expect(new BridgedBefore().unseen(devices, feeds, files())).toBeUndefined();
});

it('what was shown and is no more is told of, until another configuration has it so', () => {
  const bridged = new BridgedBefore();
  const all = files(forwarding, `${CALLS}iptables`, `${CALLS}ip6tables`);
  expect(bridged.unseen(bridge([]), FED, all)).toBeUndefined();
  const less = files(forwarding, `${CALLS}iptables`);
  expect(bridged.unseen(bridge([]), FED, less)).toBe('the rules are not shown IPv6 from port to port of br0');
  expect(bridged.unseen(bridge(['ipv6']), FED, less)).toBeUndefined();
  bridged.forget();
  expect(bridged.unseen(bridge([]), FED, less)).toBeUndefined();
});
