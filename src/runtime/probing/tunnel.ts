/**
 * The device of probes that go over a bridge: their sockets are bound to it, so that this host's routes do not matter, and
 * what is answered to them comes in by it. It goes with the process, and its routes with it; rules that lead to those stay,
 * and lead nowhere then (rules/bridge-way.ts). Owns what the kernel is told of it; knows no packets.
 */
import { constants } from 'node:os';
import { getSystemErrorName } from 'node:util';

import { RECEIVED_SERVICE } from '../../engine/guise/guise.ts';
import type { NativeBinding } from '../../source/binding.ts';
import { acknowledgedIn, attribute, changeRequest, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { BRIDGE_DEVICE, BRIDGE_PRIORITIES, BRIDGE_TABLES } from '../rules/bridge-way.ts';
import { FAMILIES, type Family } from '../rules/plan.ts';

export type TunnelBinding = Pick<NativeBinding, 'openTunnel' | 'subscribe' | 'sendDescriptors' | 'receiveDescriptors'>;

export interface Tunnel {
  /** What is written to it has come in by the device. */
  readonly fd: number;
  readonly ifindex: number;
}

export interface TunnelMarks {
  readonly mark: number;
  /** By which it was set up last: another one before a reload. */
  readonly before: number;
}

/** Throws a sentence. */
export function openTunnel(binding: Pick<TunnelBinding, 'openTunnel'>): Tunnel {
  try {
    return binding.openTunnel(BRIDGE_DEVICE);
  } catch (cause) {
    const { errno } = cause as { errno?: number };
    throw new Error(`the device ${BRIDGE_DEVICE} cannot be made${nameOf(errno)}`, { cause });
  }
}

/**
 * Up, with its routes and the rules that lead to them: also where it was, and somebody has taken something of it away. Families
 * without, since the kernel has none of them, or is told not to have them. Throws a sentence.
 */
export function setUpTunnel(
  binding: TunnelBinding,
  { ifindex }: Tunnel,
  { mark, before }: TunnelMarks,
): ReadonlySet<Family> {
  const socket = new NetlinkSocket(binding, { protocol: PROTOCOL.route });
  try {
    const outcome = (request: Buffer) => acknowledgedIn(socket.ask(request).octets);
    const errno = outcome(linkRequest(ifindex));
    if (errno !== 0) throw new Error(`the device ${BRIDGE_DEVICE} cannot be set up${nameOf(errno)}`);
    if (before !== mark) for (const family of FAMILIES) outcome(unruleRequest(family, before));
    const isThere = (request: Buffer) => THERE.has(outcome(request));
    return new Set(
      FAMILIES.filter((family) => ![...routeRequests(family, ifindex), ...ruleRequests(family, mark)].every(isThere)),
    );
  } finally {
    socket.close();
  }
}

function nameOf(errno: number | undefined): string {
  return errno === undefined || errno === 0 ? '' : ` (${getSystemErrorName(-errno)})`;
}

/**
 * Up. No packet is of several segments, since each leaves as a frame; and none that comes in is too long. Where a source is
 * asked for (rp_filter), it is by the packet's mark (src_valid_mark).
 */
export function linkRequest(ifindex: number): Buffer {
  const header = Buffer.concat([Buffer.alloc(4), wordsOf(ifindex, IFF_UP, IFF_UP)]);
  const settings = [attribute(RP_FILTER, 0), attribute(SRC_VALID_MARK, 1)];
  return changeRequest(RTM_NEWLINK, 0, header, [
    attribute(IFLA_MTU, LARGEST),
    attribute(IFLA_GSO_MAX_SEGS, 1),
    attribute(IFLA_AF_SPEC, [attribute(AF.ipv4, [attribute(IFLA_INET_CONF, settings)])]),
  ]);
}

/** To wherever by the device; and all that has come by it is this host's. */
export function routeRequests(family: Family, ifindex: number): Buffer[] {
  const scopes = family === 'ipv4' ? { link: RT_SCOPE_LINK, host: RT_SCOPE_HOST } : { link: 0, host: 0 };
  const request = (table: number, scope: number, type: number) =>
    changeRequest(
      RTM_NEWROUTE,
      NLM_F_CREATE | NLM_F_REPLACE,
      Buffer.from([AF[family], 0, 0, 0, 0, RTPROT_STATIC, scope, type, 0, 0, 0, 0]),
      [attribute(RTA_TABLE, table), attribute(RTA_OIF, ifindex)],
    );
  return [request(BRIDGE_TABLES.over, scopes.link, RTN_UNICAST), request(BRIDGE_TABLES.from, scopes.host, RTN_LOCAL)];
}

/** Ahead of others, whatever those say. */
export function ruleRequests(family: Family, mark: number): Buffer[] {
  const { from, over } = BRIDGE_PRIORITIES;
  const flags = NLM_F_CREATE | NLM_F_EXCL;
  const device = [nameOctets(BRIDGE_DEVICE)];
  return [
    ruleRequest(RTM_NEWRULE, flags, family, [from, BRIDGE_TABLES.from, attribute(FRA_IIFNAME, device)]),
    ruleRequest(RTM_NEWRULE, flags, family, [over, BRIDGE_TABLES.over, attribute(FRA_OIFNAME, device)]),
    ruleRequest(RTM_NEWRULE, flags, family, sourceRule(mark), RECEIVED_SERVICE),
  ];
}

/** The one that goes by another mark now. */
export function unruleRequest(family: Family, mark: number): Buffer {
  return ruleRequest(RTM_DELRULE, 0, family, sourceRule(mark), RECEIVED_SERVICE);
}

type Rule = readonly [priority: number, table: number, ...asks: Buffer[]];

function sourceRule(mark: number): Rule {
  const marked = [attribute(FRA_FWMARK, mark), attribute(FRA_FWMASK, mark)];
  return [BRIDGE_PRIORITIES.source, BRIDGE_TABLES.over, attribute(FRA_IIFNAME, [nameOctets('lo')]), ...marked];
}

function ruleRequest(type: number, flags: number, family: Family, rule: Rule, service = 0): Buffer {
  const [priority, table, ...asks] = rule;
  const header = Buffer.from([AF[family], 0, 0, service, 0, 0, 0, FR_ACT_TO_TBL, 0, 0, 0, 0]);
  return changeRequest(type, flags, header, [attribute(FRA_PRIORITY, priority), attribute(FRA_TABLE, table), ...asks]);
}

function nameOctets(name: string): Buffer {
  return Buffer.from(`${name}\0`);
}

function wordsOf(...words: number[]): Buffer {
  return Buffer.from(new Uint32Array(words).buffer);
}

/** linux/socket.h, linux/rtnetlink.h, linux/if_link.h, linux/ip.h, linux/fib_rules.h. */
const AF: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };
const [RTM_NEWLINK, RTM_NEWROUTE, RTM_NEWRULE, RTM_DELRULE] = [16, 24, 32, 33];
const [NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE] = [0x100, 0x200, 0x400];
const [IFLA_MTU, IFLA_AF_SPEC, IFLA_GSO_MAX_SEGS, IFLA_INET_CONF] = [4, 26, 40, 1];
const [RP_FILTER, SRC_VALID_MARK] = [8, 24];
const IFF_UP = 1;
const LARGEST = 65_535;
const [RTPROT_STATIC, RTN_UNICAST, RTN_LOCAL, RT_SCOPE_LINK, RT_SCOPE_HOST] = [4, 1, 2, 253, 254];
const [RTA_OIF, RTA_TABLE] = [4, 15];
const FR_ACT_TO_TBL = 1;
const [FRA_IIFNAME, FRA_PRIORITY, FRA_FWMARK, FRA_TABLE, FRA_FWMASK, FRA_OIFNAME] = [3, 6, 10, 15, 16, 17];
/** Of what is asked for: it is made, or was there. */
const THERE: ReadonlySet<number | undefined> = new Set([0, constants.errno.EEXIST]);
