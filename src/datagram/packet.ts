/** A datagram while it is being answered, and one that waits: what both need to be let go, dropped or refused. */
import { copyOf } from '../bytes/copy.ts';
import { emptyDatagram } from '../packet/rewrite.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import type { PacketContext } from '../packet/context.ts';

/** From the one that must not pass to the one that may. */
export const DATAGRAM_VERDICTS = ['drop', 'reject', 'hold', 'accept'] as const;
export type DatagramVerdict = (typeof DATAGRAM_VERDICTS)[number];

export interface HeldDatagram {
  readonly packetId: number;
  /** What is left of it where it is refused. */
  readonly emptied: Uint8Array;
}

/** The first of the two in the order above. */
export function worse(a: DatagramVerdict, b: DatagramVerdict): DatagramVerdict {
  return DATAGRAM_VERDICTS.indexOf(a) < DATAGRAM_VERDICTS.indexOf(b) ? a : b;
}

export function holdDatagram(p: PacketContext): HeldDatagram {
  return { packetId: p.packetId, emptied: emptyDatagram(p.ip, p.udp) };
}

/** Both ends of a datagram's flow, copied. */
export function datagramSubject(p: PacketContext, fromClient: boolean): FlowSubject {
  const { bytes, addresses, addressLength } = p.ip;
  const sender = { address: copyOf(bytes, addresses, addresses + addressLength), port: p.udp.srcPort };
  const receiver = {
    address: copyOf(bytes, addresses + addressLength, addresses + 2 * addressLength),
    port: p.udp.dstPort,
  };
  return fromClient ? { client: sender, server: receiver } : { client: receiver, server: sender };
}
