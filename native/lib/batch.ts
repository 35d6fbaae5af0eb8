/**
 * The form in which packets come: one slab of octets and one row of words a packet. Both belong to the queue and are valid
 * only until the listener of `batch` returns; who keeps octets copies them. Numbers only: loads neither addon nor kernel.
 */
export interface PacketBatch {
  readonly slab: Buffer;
  /** Rows of `FIELD.ROW` words. */
  readonly words: Uint32Array;
  count: number;
}

/** Columns of a packet's row. */
export const FIELD = {
  packetId: 0,
  /** Where the IP header begins in the slab, in octets. */
  offset: 1,
  /** Octets present from there on. */
  length: 2,
  mark: 3,
  connmark: 4,
  /** Conntrack id, equal in both directions; 0 when the kernel does not tell. */
  ctid: 5,
  /** NF_INET_* number. */
  hook: 6,
  inIfindex: 7,
  outIfindex: 8,
  flags: 9,
  /** When it came, on the clock of whoever takes the batch, who fills both in. */
  timeSeconds: 10,
  timeMicros: 11,
  /** Octets the packet had before any truncation. */
  originalLength: 12,
  /** 0. Readers of captures that fill batches of their own have the frame's number here, from 1. */
  frame: 13,
  /** The sender's address on the link, as Ethernet has it: two octets, and four. 0 where the kernel tells none. */
  inLinkHigh: 14,
  inLinkLow: 15,
  /** The port by which a bridge sends it on (NFQA_IFINDEX_PHYSOUTDEV); 0 where none does. */
  physOutIfindex: 16,
  ROW: 17,
} as const;

/** Bits of `FIELD.flags`. */
export const FLAG = {
  /** NFQA_SKB_GSO: a super-packet that will be segmented on its way out. */
  gso: 0x1,
  /** NFQA_SKB_CSUMNOTREADY: the transport checksum is still to be filled in. */
  csumNotReady: 0x2,
  /** NFQA_CAP_LEN was present, or a capture's snap length: the packet was cut. */
  truncated: 0x4,
  /** `FIELD.connmark` holds the connection's mark. */
  hasConnmark: 0x8,
  /** Conntrack says: reply direction (NFQA_CT_INFO). Meaningful only with a ctid. */
  ctReply: 0x10,
} as const;

/** Netfilter verdicts (linux/netfilter.h). */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;
/** Accepted once the hook's chain has seen it again. */
export const NF_REPEAT = 4;

/** NF_INET_* hooks (linux/netfilter.h). */
export const HOOK = { preRouting: 0, localIn: 1, forward: 2, localOut: 3, postRouting: 4 } as const;
