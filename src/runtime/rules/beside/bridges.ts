/** Bridges, and whether netfilter is shown what they carry from one port to another. Knows no rules. */
import type { Device } from './devices.ts';
import { FAMILIES, type Family } from '../plan.ts';
import type { ReadFile } from './kernel-file.ts';

export interface Bridge {
  readonly name: string;
  /** Of which families. */
  readonly shows: readonly Family[];
}

/** Those that have ports between which they can carry anything. */
export function bridgesIn(devices: readonly Device[], read: ReadFile): Bridge[] {
  const bridges = devices.filter(
    ({ kind, index }) => kind === 'bridge' && devices.filter(({ master }) => master === index).length > 1,
  );
  if (bridges.length === 0) return [];
  const ofAll = FAMILIES.filter((family) => read(BRIDGE_SETTINGS[family]) === '1');
  return bridges.map(({ name, shows }) => ({
    name,
    shows: FAMILIES.filter((family) => shows.includes(family) || ofAll.includes(family)),
  }));
}

/** Whether anything goes from one device to another by its address. */
export function forwards(devices: readonly Device[], read: ReadFile): boolean {
  const names = ['all', ...devices.map(({ name }) => name)];
  return ['ipv4', 'ipv6'].some((of) =>
    names.some((name) => read(`/proc/sys/net/${of}/conf/${name}/forwarding`) === '1'),
  );
}

/** Of all devices; there are such of each. */
export const FORWARDING = '/proc/sys/net/ipv4/ip_forward';

export const BRIDGE_SETTINGS: Readonly<Record<Family, string>> = {
  ipv4: '/proc/sys/net/bridge/bridge-nf-call-iptables',
  ipv6: '/proc/sys/net/bridge/bridge-nf-call-ip6tables',
};
