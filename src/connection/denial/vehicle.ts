/** Packets of a flow that carry something else than they came with. Knows headers; not what they are to carry. */
import type { PacketContext } from '../../packet/context.ts';
import { type SegmentHeaders, copyHeaders } from '../../packet/rewrite.ts';
import type { HeldPacket } from '../held.ts';

/** A packet of the flow that may be rewritten. */
export interface Vehicle {
  readonly headers: SegmentHeaders;
  /** NFQA_SKB_GSO: one made shorter is lost, so it can carry only something of its own length. */
  readonly isGso: boolean;
  readonly dataLength: number;
  readonly ack: number;
  readonly flags: number;
  /** Octets of its own ahead of the news: the client was let have them, and they were lost on the way. */
  readonly lost: Uint8Array;
}

export function vehicleOf(p: PacketContext, lost: Uint8Array = NOTHING): Vehicle {
  return {
    headers: copyHeaders(p.ip, p.tcp),
    isGso: p.isGso,
    dataLength: p.tcp.dataLength,
    ack: p.tcp.ack,
    flags: p.tcp.flags,
    lost,
  };
}

export function vehicleOfHeld(packet: HeldPacket): Vehicle {
  const { headers } = packet;
  const view = new DataView(headers.tcp.buffer, headers.tcp.byteOffset);
  return {
    headers,
    isGso: packet.isGso,
    dataLength: packet.end - packet.start,
    ack: view.getUint32(8),
    flags: headers.tcp[13]!,
    lost: NOTHING,
  };
}

const NOTHING = new Uint8Array(0);
