/**
 * A connection that is decided and marked: the kernel sees to the rest of it, and what was queued before the mark was
 * written is answered here.
 */
import type { PacketContext } from '../packet/context.ts';
import type { MarkChange } from '../packet/source.ts';
import type { Connection } from './connection.ts';
import { type HalfOpen, secondsOf } from './half-open.ts';

/** One as another process may know it. */
export interface KeptSettled {
  /** FlowKey.kept. */
  readonly key: string;
  readonly synSeq: number;
  readonly packed: number;
  readonly mark: MarkChange;
  /** Seconds since a packet of it last came; below 0 while its mark waits. */
  readonly idle: number;
}

/** There may be as many as the table holds, so it has few fields, and only such as are small integers. */
export class Settled {
  readonly mark: MarkChange;
  /** When a packet of it last came, in seconds since the epoch; one to come while the mark waits for its client to go on. */
  lastSeconds: number;
  successor: HalfOpen | undefined;
  readonly #synSeq: number;
  /** The interface of its SYN, and two bits. */
  readonly #packed: number;

  static of(connection: Connection, isAccepted: boolean, mark: MarkChange, isMarked: boolean): Settled {
    const { opening, clientForward, lastSeen } = connection;
    const packed = opening.way.inIfindex * 4 + (clientForward ? 2 : 0) + (isAccepted ? 1 : 0);
    return new Settled(opening.synSeq, packed, mark, secondsOf(lastSeen) + (isMarked ? 0 : REST_SECONDS));
  }

  static restore({ synSeq, packed, mark, idle }: KeptSettled, now: number): Settled {
    return new Settled(synSeq, packed, mark, secondsOf(now) - idle);
  }

  private constructor(synSeq: number, packed: number, mark: MarkChange, lastSeconds: number) {
    this.mark = mark;
    this.lastSeconds = lastSeconds;
    this.#synSeq = synSeq | 0;
    this.#packed = packed;
  }

  kept(key: string, now: number): KeptSettled {
    const { synSeq, mark, lastSeconds } = this;
    return { key, synSeq, packed: this.#packed, mark, idle: secondsOf(now) - lastSeconds };
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
    const passes = this.isAccepted && (!fromClient || this.comesBy(p));
    const seconds = secondsOf(p.time);
    // With the client's packet the mark is written.
    this.lastSeconds = passes && fromClient ? seconds : Math.max(seconds, this.lastSeconds);
    return passes;
  }
}

/** RFC 9293 knows no limit to how long a client has nothing to say. */
const REST_SECONDS = 7_200;
