/**
 * Whether what becomes of packets may be decided otherwise than a moment ago, asked of the kernel without any program: it
 * tells of changes to nf_tables and tc, and the devices and settings are read. Of rules of iptables' legacy kind it tells nobody.
 */
import { messagesOf, type NetlinkMessage, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { BRIDGE_SETTINGS, FORWARDING } from './beside/bridges.ts';
import { LIBERAL } from './beside/conntrack.ts';
import { Devices, type DevicesBinding } from './beside/devices.ts';
import { readKernelFile } from './beside/kernel-file.ts';
import { VIRTUAL_SERVERS } from './beside/virtual-servers.ts';
import { FAMILIES } from './plan.ts';
import { type HasLegacy, readHasLegacy } from './saved.ts';

/** Undefined where the kernel tells us nothing. */
export function rulesNews(binding: DevicesBinding, hasLegacy?: HasLegacy): RulesNews | undefined {
  try {
    return new RulesNews(binding, hasLegacy);
  } catch {
    return undefined; // it has no netlink of netfilter, or we may not hear of it
  }
}

class RulesNews {
  readonly #told: readonly NetlinkSocket[];
  readonly #routes: NetlinkSocket;
  readonly #devices: Devices;
  readonly #hasLegacy: HasLegacy;
  #known: string | undefined;

  constructor(binding: DevicesBinding, hasLegacy: HasLegacy = readHasLegacy) {
    this.#hasLegacy = hasLegacy;
    this.#told = [
      new NetlinkSocket(binding, { protocol: PROTOCOL.netfilter, groups: [NFNLGRP_NFTABLES] }),
      new NetlinkSocket(binding, { protocol: PROTOCOL.route, groups: [RTNLGRP_TC] }),
    ];
    this.#routes = new NetlinkSocket(binding, { protocol: PROTOCOL.route, groups: RTNLGRP_ROUTES_AND_RULES });
    this.#devices = new Devices(binding);
  }

  /** Since it was last asked; undefined where nobody can know. */
  mayHaveChanged(): boolean | undefined {
    const changes = [
      ...this.#told.map((socket) => socket.heard()).map(({ octets, isLossy }) => octets.length > 0 || isLossy),
      this.#areRoutesOthers(),
      this.#isSetOtherwise(),
    ];
    if (FAMILIES.some((family) => this.#hasLegacy(family) !== false)) return undefined;
    return changes.includes(true);
  }

  /** Of all routes that come and go only those that lead to this host, unless its addresses are the reason. */
  #areRoutesOthers(): boolean {
    const { octets, isLossy } = this.#routes.heard();
    return isLossy || octets.flatMap(messagesOf).some(isOfLocalRoute);
  }

  /** Programs that are attached to a device by a link of BPF, and settings, are told to nobody. */
  #isSetOtherwise(): boolean {
    const devices = this.#devices.read();
    const known = JSON.stringify([devices, ...SETTINGS.map(readKernelFile)]);
    const isSame = devices !== undefined && this.#known === known;
    this.#known = known;
    return !isSame;
  }
}

/** A message of routing rules counts too: there are few, and they say which tables are used. */
function isOfLocalRoute({ type, body }: NetlinkMessage): boolean {
  if (type !== RTM_NEWROUTE && type !== RTM_DELROUTE) return true;
  return body[RTMSG_PROTOCOL] !== RTPROT_KERNEL && body[RTMSG_TYPE] === RTN_LOCAL;
}

const SETTINGS = [LIBERAL, ...Object.values(BRIDGE_SETTINGS), FORWARDING, VIRTUAL_SERVERS];

/** linux/netfilter/nfnetlink.h, linux/rtnetlink.h. */
const NFNLGRP_NFTABLES = 7;
const RTNLGRP_TC = 4;
/** RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV4_RULE, RTNLGRP_IPV6_ROUTE, RTNLGRP_IPV6_RULE. */
const RTNLGRP_ROUTES_AND_RULES = [7, 8, 11, 19];

const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
/** Where rtmsg has them. */
const RTMSG_PROTOCOL = 5;
const RTMSG_TYPE = 7;
const RTPROT_KERNEL = 2;
const RTN_LOCAL = 2;
