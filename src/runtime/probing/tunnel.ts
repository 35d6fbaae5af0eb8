/**
 * The device of probes that go over a bridge: their sockets are bound to it, so that this host's routes do not matter, and
 * what is answered to them comes in by it. It goes with the process, and its routes with it; the rules that lead to them are
 * `tlspin rules`'. Owns what the kernel is told of it; knows no packets.
 */
import { closeSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';

import type { NativeBinding } from '../../source/binding.ts';
import { acknowledgedIn, attribute, changeRequest, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { FAMILIES, type Family } from '../rules/plan.ts';
import { BRIDGE_DEVICE, BRIDGE_TABLE } from '../rules/probe-way.ts';

export type TunnelBinding = Pick<NativeBinding, 'openTunnel' | 'subscribe' | 'sendDescriptors' | 'receiveDescriptors'>;

export interface Tunnel {
  /** What is written to it has come in by the device. */
  readonly fd: number;
  readonly ifindex: number;
  /** Families without a route to it: the kernel has none of them, or is told not to have them. */
  readonly unrouted: ReadonlySet<Family>;
}

/** Throws a sentence. */
export function openTunnel(binding: TunnelBinding): Tunnel {
  const { fd, ifindex } = made(binding);
  try {
    return { fd, ifindex, unrouted: setUp(binding, ifindex) };
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Families without a route to it. */
function setUp(binding: TunnelBinding, ifindex: number): ReadonlySet<Family> {
  const socket = new NetlinkSocket(binding, { protocol: PROTOCOL.route });
  try {
    const outcome = (request: Buffer) => acknowledgedIn(socket.ask(request).octets);
    const errno = outcome(linkRequest(ifindex));
    if (errno !== 0) throw new Error(`the device ${BRIDGE_DEVICE} cannot be set up${nameOf(errno)}`);
    return new Set(FAMILIES.filter((family) => outcome(routeRequest(family, ifindex)) !== 0));
  } finally {
    socket.close();
  }
}

function made(binding: TunnelBinding): { readonly fd: number; readonly ifindex: number } {
  try {
    return binding.openTunnel(BRIDGE_DEVICE);
  } catch (cause) {
    const { errno } = cause as { errno?: number };
    throw new Error(`the device ${BRIDGE_DEVICE} cannot be made${nameOf(errno)}`, { cause });
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

/** To wherever. */
export function routeRequest(family: Family, ifindex: number): Buffer {
  const scope = family === 'ipv4' ? RT_SCOPE_LINK : 0;
  const header = Buffer.from([AF[family], 0, 0, 0, 0, RTPROT_STATIC, scope, RTN_UNICAST, 0, 0, 0, 0]);
  return changeRequest(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, header, [
    attribute(RTA_TABLE, BRIDGE_TABLE),
    attribute(RTA_OIF, ifindex),
  ]);
}

function wordsOf(...words: number[]): Buffer {
  return Buffer.from(new Uint32Array(words).buffer);
}

/** linux/socket.h, linux/rtnetlink.h, linux/if_link.h, linux/ip.h. */
const AF: Readonly<Record<Family, number>> = { ipv4: 2, ipv6: 10 };
const [RTM_NEWLINK, RTM_NEWROUTE] = [16, 24];
const [NLM_F_REPLACE, NLM_F_CREATE] = [0x100, 0x400];
const [IFLA_MTU, IFLA_AF_SPEC, IFLA_GSO_MAX_SEGS, IFLA_INET_CONF] = [4, 26, 40, 1];
const [RP_FILTER, SRC_VALID_MARK] = [8, 24];
const IFF_UP = 1;
const LARGEST = 65_535;
const [RTPROT_STATIC, RTN_UNICAST, RT_SCOPE_LINK] = [4, 1, 253];
const [RTA_OIF, RTA_TABLE] = [4, 15];
