/**
 * A connection as those know it who keep track of it, the table, the log and operators: whose it is, and when what was
 * seen of it. Knows none of its octets.
 */
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { Aged } from './age-list.ts';
import type { HalfOpen } from './half-open.ts';
import type { Opening } from './opening.ts';

/** See connection.ts. */
export type Phase = 'opening' | 'inspecting' | 'accepting' | 'accepted' | 'denying' | 'denied';

export abstract class TrackedConnection extends Aged {
  readonly kind = 'connection';
  readonly id: number;
  /** FlowKey.kept. */
  readonly key: string;
  /** Value of `FlowKey.forward` for packets that the client sends. */
  readonly clientForward: boolean;
  readonly subject: FlowSubject;
  readonly frame: number;
  lastSeen: number;
  /** When the client began to speak TLS. */
  begunAt = Infinity;
  /** Hash of the configuration that decided. */
  decidedBy = '';
  /** When the decision of a watched connection fell; 0 while there is none. */
  decidedAt = 0;
  phase: Phase = 'opening';
  /** A newer SYN of the same endpoints, which counts only once the server answers it. */
  successor: HalfOpen | undefined;
  readonly opening: Opening;
  closedSides = 0;

  constructor(begun: HalfOpen, subject: FlowSubject, now: number) {
    super();
    this.id = begun.id;
    this.key = begun.key;
    this.clientForward = begun.clientForward;
    this.opening = begun.opening;
    this.successor = begun.successor;
    this.frame = begun.frame;
    this.subject = subject;
    this.lastSeen = now;
  }

  /** Microseconds that its handshake may take longer than that of others. */
  abstract readonly patience: number;

  /** A SYN of it came. */
  touch(now: number): void {
    this.lastSeen = now;
  }
}
