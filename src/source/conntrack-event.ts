/** A connection that the kernel tells of over netlink (linux/netfilter/nfnetlink_conntrack.h), in so far as it is asked for here. */
import { attributesOf, messagesOf } from './netlink.ts';

export interface TrackedConnection {
  /** 0 where it has none. */
  readonly mark: number;
  /** Conntrack's name of it. */
  readonly id: number;
  /** As its packets are when they come, in the one direction and in the other. */
  readonly original: Ends;
  readonly reply: Ends;
}

/** Undefined: not told. */
export interface Ends {
  readonly source: Uint8Array | undefined;
  readonly sourcePort: number | undefined;
  readonly destination: Uint8Array | undefined;
  readonly destinationPort: number | undefined;
}

export function trackedConnections(datagram: Buffer): TrackedConnection[] {
  return messagesOf(datagram).flatMap(({ type, body }) => (type === CT_NEW ? connection(body.subarray(HEADER)) : []));
}

function connection(octets: Buffer): TrackedConnection {
  const all = attributesOf(octets);
  const number = (type: number): number => {
    const value = all.get(type);
    return value?.length === 4 ? value.readUInt32BE() : 0;
  };
  return {
    mark: number(CTA_MARK),
    id: number(CTA_ID),
    original: ends(all.get(CTA_TUPLE_ORIG) ?? NOTHING),
    reply: ends(all.get(CTA_TUPLE_REPLY) ?? NOTHING),
  };
}

function ends(octets: Buffer): Ends {
  const tuple = attributesOf(octets);
  const ip = attributesOf(tuple.get(CTA_TUPLE_IP) ?? NOTHING);
  const protocol = attributesOf(tuple.get(CTA_TUPLE_PROTO) ?? NOTHING);
  const port = (type: number): number | undefined => {
    const value = protocol.get(type);
    return value?.length === 2 ? value.readUInt16BE() : undefined;
  };
  return {
    source: ip.get(CTA_IP_V4_SRC) ?? ip.get(CTA_IP_V6_SRC),
    sourcePort: port(CTA_PROTO_SRC_PORT),
    destination: ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST),
    destinationPort: port(CTA_PROTO_DST_PORT),
  };
}

const NOTHING = Buffer.alloc(0);
/** Of netfilter. */
const HEADER = 4;
/** IPCTNL_MSG_CT_NEW of NFNL_SUBSYS_CTNETLINK; also of what has changed. */
const CT_NEW = 0x100;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_MARK = 8;
const CTA_ID = 12;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_SRC = 3;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_SRC_PORT = 2;
const CTA_PROTO_DST_PORT = 3;
