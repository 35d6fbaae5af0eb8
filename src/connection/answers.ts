/**
 * What flows of every kind ask of the engine: the configuration in force, and an answer for each of their packets, at
 * once or later, for as long as there is room to wait.
 */
import type { MarkChange } from '../packet/source.ts';
import type { LimitName, Limits } from '../pins/limits.ts';
import type { PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { Marks } from './marks.ts';

/** Exactly one of `accept`, `drop`, `replace` and `refuse` is said of each packet. */
export interface Answers {
  readonly snapshot: PinsetSnapshot;
  readonly limits: Limits;
  readonly marks: Marks;
  accept(packetId: number, connmark?: MarkChange): void;
  drop(packetId: number, connmark?: MarkChange): void;
  replace(packetId: number, payload: Uint8Array, connmark?: MarkChange): void;
  /** No receiver should take it; `code` says why. */
  refuse(code: string, packetId: number): void;
  /** False when the queue holds as many packets as it may. */
  mayHold(): boolean;
  /** Whether the queue holds few packets, so that one more may wait for longer. */
  readonly hasRoom: boolean;
  /** A packet waits from now on. */
  onHeld(): void;
  /** So many wait no more. */
  onReleased(count: number): void;
  /** One interface leads to both ends of a flow. */
  onOneArmed(): void;
  /** A limit was reached. */
  count(limit: LimitName): void;
}
