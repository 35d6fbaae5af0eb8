/**
 * Whether this host gets to an address with one of its own, as the kernel's routes say now. Owns the question and how its
 * answer is read; knows no probes.
 */
import { isIpv4, isLocal } from '../../probe/address.ts';
import {
  acknowledgedIn,
  attribute,
  attributesOf,
  changeRequest,
  messagesOf,
  type Netlink,
  NetlinkSocket,
  PROTOCOL,
} from '../../source/netlink.ts';

/** `mark`: what leaves has it now. Where nothing can be asked, it may get there. */
export function ownWays(binding: Netlink, mark: () => number): (to: Uint8Array) => boolean {
  const socket = opened(binding);
  return (to) => {
    if (socket === undefined) return true;
    const { octets, isLossy } = socket.ask(wayRequest(to, mark()));
    return isLossy || leadsThere(octets);
  };
}

function opened(binding: Netlink): NetlinkSocket | undefined {
  try {
    return new NetlinkSocket(binding, { protocol: PROTOCOL.route });
  } catch {
    return undefined;
  }
}

export function wayRequest(to: Uint8Array, mark: number): Buffer {
  const header = Buffer.alloc(ROUTE_HEADER);
  header[0] = isIpv4(to) ? AF_INET : AF_INET6;
  header[1] = 8 * to.length;
  return changeRequest(RTM_GETROUTE, 0, header, [attribute(RTA_DST, [Buffer.from(to)]), attribute(RTA_MARK, mark)]);
}

/** With an address that others can answer: not where the route says that there is none, or would be left by a link's own. */
export function leadsThere(octets: readonly Buffer[]): boolean {
  const route = octets.flatMap(messagesOf).find(({ type }) => type === RTM_NEWROUTE);
  // Of a kernel that does not say: it leads there unless that is refused.
  if (route === undefined) return (acknowledgedIn(octets) ?? 0) === 0;
  const source = attributesOf(route.body.subarray(ROUTE_HEADER)).get(RTA_PREFSRC);
  return source !== undefined && !isLocal(source);
}

/** linux/rtnetlink.h. */
const [RTM_NEWROUTE, RTM_GETROUTE] = [24, 26];
const ROUTE_HEADER = 12;
const [RTA_DST, RTA_PREFSRC, RTA_MARK] = [1, 7, 16];
const [AF_INET, AF_INET6] = [2, 10];
