/** A connection that the kernel tells of over netlink (linux/netfilter/nfnetlink_conntrack.h), in so far as it is asked for here. */
import { attributesOf, messagesOf } from './netlink.ts';

export interface TrackedConnection {
  /** 0 where it has none. */
  readonly mark: number;
  /** As it began; undefined: not told. */
  readonly destination: Uint8Array | undefined;
  readonly port: number | undefined;
}

export function trackedConnections(datagram: Buffer): TrackedConnection[] {
  return messagesOf(datagram).flatMap(({ type, body }) => (type === CT_NEW ? connection(body.subarray(HEADER)) : []));
}

function connection(octets: Buffer): TrackedConnection {
  const all = attributesOf(octets);
  const tuple = attributesOf(all.get(CTA_TUPLE_ORIG) ?? NOTHING);
  const ip = attributesOf(tuple.get(CTA_TUPLE_IP) ?? NOTHING);
  const port = attributesOf(tuple.get(CTA_TUPLE_PROTO) ?? NOTHING).get(CTA_PROTO_DST_PORT);
  const mark = all.get(CTA_MARK);
  return {
    mark: mark?.length === 4 ? mark.readUInt32BE() : 0,
    destination: ip.get(CTA_IP_V4_DST) ?? ip.get(CTA_IP_V6_DST),
    port: port?.length === 2 ? port.readUInt16BE() : undefined,
  };
}

const NOTHING = Buffer.alloc(0);
/** Of netfilter. */
const HEADER = 4;
/** IPCTNL_MSG_CT_NEW of NFNL_SUBSYS_CTNETLINK; also of what has changed. */
const CT_NEW = 0x100;
const CTA_TUPLE_ORIG = 1;
const CTA_MARK = 8;
const CTA_TUPLE_IP = 1;
const CTA_TUPLE_PROTO = 2;
const CTA_IP_V4_DST = 2;
const CTA_IP_V6_DST = 4;
const CTA_PROTO_DST_PORT = 3;
