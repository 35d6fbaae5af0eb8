/**
 * The network devices of this namespace, as the kernel tells of them without any program: what they are, whose ports, and
 * whether programs are attached to them. Knows no rules.
 */
import type { NativeBinding } from '../../../source/binding.ts';
import { attributesOf, dumpRequest, messagesOf, NetlinkSocket, PROTOCOL } from '../../../source/netlink.ts';
import type { Family } from '../plan.ts';

export type DevicesBinding = Pick<
  NativeBinding,
  'subscribe' | 'sendDescriptors' | 'receiveDescriptors' | 'bpfPrograms'
>;

export interface Device {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `ifb`; undefined: none is told. */
  readonly kind: string | undefined;
  /** The device that it is a port of. */
  readonly master: number | undefined;
  readonly hasXdp: boolean;
  /** By way of `tcx`. False where that may not be asked. */
  readonly hasTcx: boolean;
  /** Of a bridge: of which families netfilter is shown what it carries, whatever holds of others. */
  readonly shows: readonly Family[];
  /** A bridge whose ports are of different VLANs. */
  readonly filtersVlans: boolean;
}

export class Devices {
  readonly #binding: DevicesBinding;
  readonly #socket: NetlinkSocket;
  /** What was told of each kind when all was. */
  readonly #whole = new Map<number, readonly Buffer[]>();

  /** Throws where there is no such socket. */
  constructor(binding: DevicesBinding) {
    this.#binding = binding;
    this.#socket = new NetlinkSocket(binding, { protocol: PROTOCOL.route });
  }

  /** Undefined where the kernel has never told all. */
  read(): readonly Device[] | undefined {
    return this.#told(GET_LINKS, RTM_NEWLINK)?.map((body) => this.#device(body));
  }

  /** Those that have filters of tc for what comes in. */
  filtered(): ReadonlySet<number> {
    const incoming = (this.#told(GET_QDISCS, RTM_NEWQDISC) ?? []).filter((body) => FILTERING.has(kindOf(body)));
    return new Set(incoming.map((body) => numberAt(body, IFINDEX)));
  }

  /** Of one moment; where devices keep coming and going, of the last one that all was told of. */
  #told(request: Buffer, wanted: number): readonly Buffer[] | undefined {
    for (let tries = 0; tries < TRIES; tries++) {
      const { octets, isLossy } = this.#socket.ask(request);
      if (isLossy) continue;
      const told = octets.flatMap(messagesOf).filter(({ type }) => type === wanted);
      this.#whole.set(
        wanted,
        told.map(({ body }) => body),
      );
      break;
    }
    return this.#whole.get(wanted);
  }

  #device(body: Buffer): Device {
    const index = numberAt(body, IFINDEX);
    const all = attributesOf(body.subarray(IFINFO));
    const info = attributesOf(all.get(IFLA_LINKINFO) ?? NOTHING);
    const data = attributesOf(info.get(IFLA_INFO_DATA) ?? NOTHING);
    const master = all.get(IFLA_MASTER);
    const kind = textOf(info.get(IFLA_INFO_KIND));
    const isSet = (octets: Buffer | undefined) => octets?.length === 1 && octets[0] !== 0;
    return {
      index,
      name: textOf(all.get(IFLA_IFNAME)) ?? '?',
      kind,
      master: master?.length === 4 ? numberAt(master, 0) : undefined,
      hasXdp: isSet(attributesOf(all.get(IFLA_XDP) ?? NOTHING).get(IFLA_XDP_ATTACHED)),
      hasTcx: ATTACHED.some((type) => this.#binding.bpfPrograms(index, type) > 0),
      filtersVlans: kind === 'bridge' && isSet(data.get(IFLA_BR_VLAN_FILTERING)),
      shows: kind === 'bridge' ? CALLS.filter(([of]) => isSet(data.get(of))).map(([, family]) => family) : [],
    };
  }
}

/** Undefined where the kernel lets nobody ask. */
export function openDevices(binding: DevicesBinding): Devices | undefined {
  try {
    return new Devices(binding);
  } catch {
    return undefined;
  }
}

function kindOf(body: Buffer): string {
  return textOf(attributesOf(body.subarray(TCMSG)).get(TCA_KIND)) ?? '';
}

function textOf(octets: Buffer | undefined): string | undefined {
  return octets?.toString('latin1').replace(/\0.*$/s, '');
}

/** In the machine's order of octets. */
function numberAt(octets: Buffer, at: number): number {
  return new Uint32Array(Uint8Array.from(octets.subarray(at, at + 4)).buffer)[0]!;
}

const NOTHING = Buffer.alloc(0);
const TRIES = 3;

/** linux/rtnetlink.h, linux/if_link.h, linux/pkt_sched.h. */
const RTM_NEWLINK = 16;
const RTM_GETLINK = 18;
const RTM_NEWQDISC = 36;
const RTM_GETQDISC = 38;
const IFINFO = 16;
const TCMSG = 20;
/** In both. */
const IFINDEX = 4;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_XDP = 43;
const IFLA_XDP_ATTACHED = 2;
const IFLA_BR_VLAN_FILTERING = 7;
/** IFLA_BR_NF_CALL_IPTABLES, IFLA_BR_NF_CALL_IP6TABLES. */
const CALLS = [
  [36, 'ipv4'],
  [37, 'ipv6'],
] as const;
const TCA_KIND = 1;
const FILTERING: ReadonlySet<string> = new Set(['ingress', 'clsact']);
/** linux/bpf.h: BPF_TCX_INGRESS, BPF_NETKIT_PEER. What they have, netfilter has not had. */
const ATTACHED = [46, 55] as const;

const GET_LINKS = dumpRequest(RTM_GETLINK, IFINFO);
const GET_QDISCS = dumpRequest(RTM_GETQDISC, TCMSG);
