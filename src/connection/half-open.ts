/**
 * A connection of which no octet has come by yet: what the table has of it is little, because anybody can open many.
 * Everything about it once there is more to it than an acknowledgment is connection.ts.
 */
import { TCP_FLAG } from '../packet/tcp.ts';
import { Aged } from './age-list.ts';
import { Opening } from './opening.ts';
import type { PacketContext } from '../packet/context.ts';
import { comesBy } from './way.ts';

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

  /** A SYN of it came: whoever repeats his is still there. */
  touch(now: number): void {
    this.lastSeconds = secondsOf(now);
    this.isReset = false;
  }

  /** An acknowledgment or a reset with nothing else to it: whether it may pass; undefined where there is more to see. */
  onBare(p: PacketContext, fromClient: boolean): boolean | undefined {
    const { tcp } = p;
    if (tcp.dataLength > 0 || tcp.has(TCP_FLAG.fin)) return undefined;
    this.lastSeconds = secondsOf(p.time);
    if (!fromClient || this.opening.comesBy(p)) this.isReset ||= tcp.has(TCP_FLAG.rst);
    if (this.opening.isVoid) return false;
    if (!fromClient) return true;
    const selected = this.opening.selected ?? this.#select(p);
    // RFC 9293 §3.10.7.3: a client refuses a SYN/ACK that it did not ask for with a reset.
    if (selected === undefined) return tcp.has(TCP_FLAG.rst);
    if (!comesBy(selected.way, p)) return false;
    // Octets came with the SYN, or it acknowledges some that never came by.
    const isMore = selected.earlyOctets.length > 0 || (tcp.has(TCP_FLAG.ack) && tcp.ack !== selected.serverFirst);
    return isMore ? undefined : true;
  }

  #select(p: PacketContext) {
    const { tcp } = p;
    return tcp.has(TCP_FLAG.ack) ? this.opening.select(tcp.seq, tcp.ack, p) : undefined;
  }
}

export function secondsOf(micros: number): number {
  return Math.floor(micros / 1e6);
}
