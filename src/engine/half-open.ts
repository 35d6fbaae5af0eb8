/**
 * A connection of which no octet has come by yet, and one that is decided and marked: what the table has of them is
 * little, because anybody can open many and the kernel sees to the rest of what is decided. Everything else about a
 * connection is connection.ts.
 *
 *   HalfOpen ──first octet, or anything but an ACK──▶ Connection ──mark written──▶ Settled
 */
import { TCP_FLAG } from '../packet/tcp.ts';
import { Aged } from './age-list.ts';
import type { Connection } from './connection.ts';
import { Opening } from './opening.ts';
import type { PacketContext } from './packet-context.ts';
import type { MarkChange } from './ports.ts';

export type Flow = HalfOpen | Connection | Settled;

export class HalfOpen extends Aged {
  readonly kind = 'half-open';
  readonly id: number;
  /** FlowKey.kept. */
  readonly key: string;
  /** Value of `FlowKey.forward` for packets that the client sends. */
  readonly clientForward: boolean;
  readonly frame: number;
  readonly opening = new Opening();
  /** Seconds since the epoch, so that it stays a small integer. */
  lastSeconds: number;
  /** A newer SYN of the same endpoints, which counts only once the server answers it. */
  successor: HalfOpen | undefined;
  isReset = false;

  constructor(identity: { id: number; key: string; clientForward: boolean; frame: number; time: number }) {
    super();
    this.id = identity.id;
    this.key = identity.key;
    this.clientForward = identity.clientForward;
    this.frame = identity.frame;
    this.lastSeconds = secondsOf(identity.time);
  }

  get isOpen(): boolean {
    return this.opening.isSelected;
  }

  /** An acknowledgment or a reset with nothing else to it: whether it may pass; undefined where there is more to see. */
  onBare(p: PacketContext, fromClient: boolean): boolean | undefined {
    const { tcp } = p;
    if (tcp.dataLength > 0 || tcp.has(TCP_FLAG.fin)) return undefined;
    this.lastSeconds = secondsOf(p.time);
    this.isReset ||= tcp.has(TCP_FLAG.rst);
    if (!fromClient) return true;
    const selected = this.opening.selected ?? this.#select(p);
    // RFC 9293 §3.10.7.3: a client refuses a SYN/ACK that it did not ask for with a reset.
    if (selected === undefined) return tcp.has(TCP_FLAG.rst);
    // Only the interface of the SYN leads to the client; anybody can write its address into a packet.
    if (selected.inIfindex !== p.inIfindex) return false;
    // Octets came with the SYN, or it acknowledges some that never came by.
    const isMore = selected.earlyOctets.length > 0 || (tcp.has(TCP_FLAG.ack) && tcp.ack !== selected.serverFirst);
    return isMore ? undefined : true;
  }

  #select({ tcp, inIfindex }: PacketContext) {
    return tcp.has(TCP_FLAG.ack) ? this.opening.select(tcp.seq, tcp.ack, inIfindex) : undefined;
  }
}

/**
 * The decision stands in the mark; what was queued before it was written is answered here. There may be as many as the
 * table holds, so it has few fields, and only such as are small integers.
 */
export class Settled {
  readonly mark: MarkChange;
  /** When a packet of it last came, in seconds since the epoch. */
  lastSeconds: number;
  successor: HalfOpen | undefined;
  readonly #synSeq: number;
  /** The interface of its SYN, and two bits. */
  readonly #packed: number;

  constructor(connection: Connection, isAccepted: boolean, mark: MarkChange) {
    this.mark = mark;
    this.lastSeconds = secondsOf(connection.lastSeen);
    this.#synSeq = connection.opening.synSeq | 0;
    this.#packed = connection.opening.inIfindex * 4 + (connection.clientForward ? 2 : 0) + (isAccepted ? 1 : 0);
  }

  get kind() {
    return 'settled' as const;
  }

  get isAccepted(): boolean {
    return this.#packed % 2 === 1;
  }

  /** Value of `FlowKey.forward` for packets that the client sends. */
  get clientForward(): boolean {
    return this.#packed % 4 >= 2;
  }

  get inIfindex(): number {
    return Math.floor(this.#packed / 4);
  }

  get synSeq(): number {
    return this.#synSeq >>> 0;
  }

  /** Whether the packet may pass. */
  onPacket(p: PacketContext, fromClient: boolean): boolean {
    this.lastSeconds = secondsOf(p.time);
    return this.isAccepted && (!fromClient || p.inIfindex === this.inIfindex);
  }
}

export function secondsOf(micros: number): number {
  return Math.floor(micros / 1e6);
}
