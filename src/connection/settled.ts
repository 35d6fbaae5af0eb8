/**
 * A connection that is decided and marked: the kernel sees to the rest of it, and what was queued before the mark was
 * written is answered here.
 */
import type { PacketContext } from '../packet/context.ts';
import type { MarkChange } from '../packet/source.ts';
import type { Connection } from './connection.ts';
import { type HalfOpen, secondsOf } from './half-open.ts';

/** There may be as many as the table holds, so it has few fields, and only such as are small integers. */
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
    this.#packed = connection.opening.way.inIfindex * 4 + (connection.clientForward ? 2 : 0) + (isAccepted ? 1 : 0);
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

  /** Whether the packet may be the client's. The kernel looks no closer either. */
  comesBy(p: PacketContext): boolean {
    return p.inIfindex === Math.floor(this.#packed / 4);
  }

  get synSeq(): number {
    return this.#synSeq >>> 0;
  }

  /** Whether the packet may pass. */
  onPacket(p: PacketContext, fromClient: boolean): boolean {
    this.lastSeconds = secondsOf(p.time);
    return this.isAccepted && (!fromClient || this.comesBy(p));
  }
}
