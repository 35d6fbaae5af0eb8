/** How the packets of a flow are answered, whatever carries it: at once, or later for as long as there is room to wait. */
import type { MarkChange } from '../packet/source.ts';
import type { LimitName, Limits } from '../pins/limits.ts';
import type { Marks } from './marks.ts';

/** Exactly one of `accept`, `drop` and `replace` is said of each packet. */
export interface Answers {
  readonly limits: Limits;
  readonly marks: Marks;
  accept(packetId: number, connmark?: MarkChange): void;
  drop(packetId: number, connmark?: MarkChange): void;
  replace(packetId: number, payload: Uint8Array, connmark?: MarkChange): void;
  /** False when the queue holds as many packets as it may. */
  mayHold(): boolean;
  /** A packet waits from now on. */
  onHeld(): void;
  /** So many wait no more. */
  onReleased(count: number): void;
  /** A limit was reached. */
  count(limit: LimitName): void;
}
