/**
 * Whether what becomes of packets may be decided otherwise than a moment ago, asked of the kernel without any program: it
 * tells of changes to nf_tables and tc, and the devices and settings are read. Of rules of iptables' legacy kind it tells nobody.
 */
import type { NativeBinding } from '../../source/binding.ts';
import { attributesOf, messagesOf, type NetlinkMessage, NetlinkSocket, PROTOCOL } from '../../source/netlink.ts';
import { readLiberal } from './conntrack.ts';
import { FAMILIES } from './plan.ts';
import { type HasLegacy, readHasLegacy } from './saved.ts';

type Netlink = Pick<NativeBinding, 'subscribe' | 'sendDescriptors' | 'receiveDescriptors'>;

/** Undefined where the kernel tells us nothing. */
export function rulesNews(binding: Netlink, hasLegacy?: HasLegacy): RulesNews | undefined {
  try {
    return new RulesNews(binding, hasLegacy);
  } catch {
    return undefined; // it has no netlink of netfilter, or we may not hear of it
  }
}

class RulesNews {
  readonly #told: readonly NetlinkSocket[];
  readonly #asked: NetlinkSocket;
  readonly #hasLegacy: HasLegacy;
  #links: Buffer | undefined;
  #isLiberal: boolean | undefined;

  constructor(binding: Netlink, hasLegacy: HasLegacy = readHasLegacy) {
    this.#hasLegacy = hasLegacy;
    this.#told = [
      new NetlinkSocket(binding, { protocol: PROTOCOL.netfilter, groups: [NFNLGRP_NFTABLES] }),
      new NetlinkSocket(binding, { protocol: PROTOCOL.route, groups: [RTNLGRP_TC] }),
    ];
    this.#asked = new NetlinkSocket(binding, { protocol: PROTOCOL.route });
  }

  /** Since it was last asked; undefined where nobody can know. */
  mayHaveChanged(): boolean | undefined {
    const changes = [
      ...this.#told.map((socket) => socket.heard()).map(({ octets, isLossy }) => octets.length > 0 || isLossy),
      this.#areLinksOthers(),
      this.#isSettingAnother(),
    ];
    if (FAMILIES.some((family) => this.#hasLegacy(family) !== false)) return undefined;
    return changes.includes(true);
  }

  /** Programs that are attached to a device by a link of BPF are told to nobody. */
  #areLinksOthers(): boolean {
    const { octets, isLossy } = this.#asked.ask(GET_LINKS);
    const links = Buffer.concat(octets.flatMap(messagesOf).flatMap(deviceOf));
    const isSame = !isLossy && this.#links?.equals(links) === true;
    this.#links = links;
    return !isSame;
  }

  #isSettingAnother(): boolean {
    const isLiberal = readLiberal();
    const isSame = this.#isLiberal === isLiberal;
    this.#isLiberal = isLiberal;
    return !isSame;
  }
}

/** linux/netfilter/nfnetlink.h, linux/rtnetlink.h. */
const NFNLGRP_NFTABLES = 7;
const RTNLGRP_TC = 4;

const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const IFINFO = 16;
const IFLA_IFNAME = 3;
const IFLA_XDP = 43;

/** Its name, and what program it has; not what it counts. */
function deviceOf({ type, body }: NetlinkMessage): Buffer[] {
  if (type !== RTM_NEWLINK) return [];
  const all = attributesOf(body.subarray(IFINFO));
  return [IFLA_IFNAME, IFLA_XDP].flatMap((of) => all.get(of) ?? []);
}

/** Of all devices (NLM_F_REQUEST, NLM_F_DUMP); in the machine's order of octets. */
const GET_LINKS = Buffer.from(
  new Uint8Array(new Uint32Array([32, twoHalves(RTM_GETLINK, 0x301), 1, 0, 0, 0, 0, 0]).buffer),
);

function twoHalves(first: number, second: number): number {
  return new Uint32Array(new Uint16Array([first, second]).buffer)[0]!;
}
