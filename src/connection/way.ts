/**
 * By which way one end's packets come, as far as a gateway sees it: the interface; and where that leads to the other end
 * as well, the address of whoever sent them over the link. Anybody can write an end's network address into a packet;
 * without its place on the way he is not taken for it.
 */
import type { PacketContext } from '../packet/context.ts';

export interface Way {
  /** Leads to the client. */
  readonly inIfindex: number;
  /** Leads to the server. */
  readonly outIfindex: number;
  /** Who sent the client's packets over the link; 0 where it has no addresses. */
  readonly inLink: number;
}

type Arrival = Pick<PacketContext, 'inIfindex' | 'inLink'>;

/** The gateway has one arm for both ends. */
export function isOneArmed({ inIfindex, outIfindex }: Way): boolean {
  return inIfindex === outIfindex;
}

/** Whether the packet may be the client's. `oneArmed`: it is known to be so in another way than by its SYN. */
export function comesBy(way: Way, p: Arrival, oneArmed = isOneArmed(way)): boolean {
  return p.inIfindex === way.inIfindex && (!oneArmed || isSameLink(way.inLink, p.inLink));
}

/** Whether two SYNs may be one client's. */
export function isSameWay(a: Way, b: Way): boolean {
  return comesBy(a, b) && comesBy(b, a);
}

/** An address that nobody tells excludes nobody. */
function isSameLink(a: number, b: number): boolean {
  return a === b || a === 0 || b === 0;
}
