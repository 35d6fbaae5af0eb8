/**
 * What the rules must do, before any spelling: which ports go to which queues, which bits of the marks are the engine's,
 * whether the packet mark carries them, and whose QUIC is refused. Knows the policy and netfilter's notions; knows no
 * syntax.
 */
import ipaddr from 'ipaddr.js';

import type { AddressRange, CompiledPinset, ConnmarkLayout, Policy } from '../../pins/policy.ts';
import { mayAskServers } from '../../pins/probe.ts';
import { ownedConnmarkBits } from './connmark-mask.ts';

export type Hook = 'forward' | 'local';

/** How connmarks reach the connection: inside the verdict, or by way of the packet mark and a rule that saves it. */
export type Route = 'verdict' | 'packet-mark';

export type Family = 'ipv4' | 'ipv6';
export const FAMILIES: readonly Family[] = ['ipv4', 'ipv6'];
export const FAMILY_NAMES: Readonly<Record<Family, string>> = { ipv4: 'IPv4', ipv6: 'IPv6' };

export interface QuicRule {
  readonly action: 'reject' | 'drop';
  /** CIDR; null: any. */
  readonly client: string | null;
  readonly server: string | null;
  readonly ports: Ports;
}

/** Ranges, both ends included. */
export type Ports = readonly (readonly [number, number])[];

export interface RulesPlan {
  readonly hook: Hook;
  readonly configuration: string;
  /** First and last queue number. */
  readonly queues: readonly [number, number];
  readonly queueBypass: boolean;
  readonly ports: Ports;
  /** The states of a flow and the bits that hold them. */
  readonly connmark: ConnmarkLayout;
  /** Those bits and the ones that verdicts add. */
  readonly owned: number;
  /** Put the engine's bits into the packet mark ahead of the queue, and save those of what its verdict sends here again. */
  readonly packetMark: boolean;
  /** The bit of a probe's packets and connection; null where no server is asked, or none of its packets come by. */
  readonly probe: number | null;
  /** The same bit, where probes leave with addresses that this host forwards for; null elsewhere. */
  readonly asClients: number | null;
  /** The same bit, where probes may take a bridge, by a device of their own; null elsewhere. */
  readonly overBridges: number | null;
  readonly quic: Readonly<Record<Family, readonly QuicRule[]>>;
  /** UDP of the same ports goes to the queue as well. */
  readonly datagrams: boolean;
  /** What is open when the rules are put in place for the first time counts as accepted. */
  readonly sparesOpen: boolean;
}

interface PlanOptions {
  readonly hook: Hook;
  readonly quic: boolean;
  readonly queueUdp: boolean;
  readonly queueBypass: boolean;
  readonly established?: 'accept' | 'midstream';
  readonly route?: Route;
}

/**
 * `auto` gets the packet-mark rules: they also serve an engine that writes the connmark with its verdicts.
 *
 * Probes leave this host by OUTPUT and are answered by INPUT. A forwarded packet has no socket here that it could have
 * its mark from, so whoever gave it the mark of probes was somebody else: in FORWARD nothing goes by it.
 */
export function planRules(policy: Policy, options: PlanOptions): RulesPlan {
  const route = options.route ?? policy.connmark.route;
  const refusesQuic = options.quic && !options.queueUdp;
  const probes = (hook: Hook) => (options.hook === hook && mayAskServers(policy) ? policy.probe.mark : null);
  return {
    hook: options.hook,
    configuration: policy.hash,
    queues: policy.queues,
    queueBypass: options.queueBypass,
    ports: mergedPorts(policy.ports),
    connmark: policy.connmark,
    owned: ownedConnmarkBits(policy),
    packetMark: route !== 'verdict',
    probe: probes('local'),
    asClients: leavesAsClients(policy) ? probes('forward') : null,
    overBridges: probes('forward'),
    datagrams: options.queueUdp,
    sparesOpen: options.established !== 'midstream',
    quic: refusesQuic ? { ipv4: quicRules(policy, 'ipv4'), ipv6: quicRules(policy, 'ipv6') } : { ipv4: [], ipv6: [] },
  };
}

/** Whether any probe has another's address. */
export function leavesAsClients(policy: Policy): boolean {
  return policy.probe.source !== 'gateway' && mayAskServers(policy);
}

export const DESCRIPTION: Readonly<Record<Hook, string>> = {
  forward: 'flows that this host forwards',
  local: 'flows of this host itself',
};

/** A mark as netfilter prints it. */
export function hex(mark: number): string {
  return `0x${(mark >>> 0).toString(16)}`;
}

/** Sorted, without overlaps: a port that is named twice would cost a match twice. */
function mergedPorts(ports: Ports): [number, number][] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ports].sort((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/**
 * Without the queue nobody reads the name, so a host pinset's clients lose UDP to its ports altogether (from QUIC they
 * fall back to TCP), an address pinset's clients only towards its addresses. Pinsets that only report must not change
 * what clients can do.
 */
function quicRules(policy: Policy, family: Family): QuicRule[] {
  const rules: QuicRule[] = [];
  const everywhere = mergedPorts(policy.ports);
  for (const pinset of policy.pinsets) {
    const action = pinset.situations.quic;
    if (action === 'accept' || !isEnforced(pinset)) continue;
    const ports = pinset.match.ports.length === 0 ? everywhere : mergedPorts(pinset.match.ports);
    for (const client of scope(pinset.match.clients, family)) {
      for (const server of scope(pinset.match.addresses, family)) rules.push({ action, client, server, ports });
    }
  }
  const { quic } = policy.unpinned;
  if (quic !== 'accept') rules.push({ action: quic, client: null, server: null, ports: everywhere });
  // Pinsets that come from elsewhere, later, are to find it refused.
  if (policy.fleet !== undefined || policy.pins !== undefined) {
    rules.push({ action: 'reject', client: null, server: null, ports: everywhere });
  }
  return withoutCovered(rules);
}

/** A host that is enforced once its keys are known must not be reached past them. */
function isEnforced({ mode, then, pins }: CompiledPinset): boolean {
  return then === 'enforce' || (mode === 'enforce' && pins.length > 0);
}

/** An empty list means everyone; one that only names the other family means nobody of this one. */
function scope(ranges: readonly AddressRange[], family: Family): (string | null)[] {
  if (ranges.length === 0) return [null];
  const octets = family === 'ipv4' ? 4 : 16;
  return ranges.filter((range) => range.address.length === octets).map(cidr);
}

function cidr({ address, prefix }: AddressRange): string {
  return `${ipaddr.fromByteArray([...address]).toString()}/${prefix}`;
}

/** Drops duplicates and whatever an earlier rule for everybody already decides. */
function withoutCovered(rules: readonly QuicRule[]): QuicRule[] {
  const kept: QuicRule[] = [];
  for (const rule of rules) {
    const covered = kept.some(
      (other) =>
        (other.client === null || other.client === rule.client) &&
        (other.server === null || other.server === rule.server) &&
        rule.ports.every(([first, last]) => other.ports.some(([from, to]) => from <= first && last <= to)),
    );
    if (!covered) kept.push(rule);
  }
  return kept;
}
