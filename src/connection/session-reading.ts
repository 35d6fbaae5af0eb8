/**
 * Reads on behind a decision that accepts, for the session that the server may hand out: the server's octets up to its
 * Finished, of which copies are kept so that the client has the same. Packets pass meanwhile; where anything is doubtful,
 * nothing is remembered.
 */
import type { TcpView } from '../packet/tcp.ts';
import { type HalfStream, SEGMENT, type SegmentOutcome } from '../tcp/half-stream.ts';
import type { Inspection } from './inspection.ts';
import type { Judge } from '../judge/judge.ts';

export class SessionReading {
  readonly #server: HalfStream;
  readonly #judge: Judge;
  readonly #inspection: Inspection;
  /** Octets of the server's behind the decision that are read at the most. */
  readonly #maxOctets: number;
  #decisionPoint = Infinity;
  /** Offset that a client has acknowledged when it has the server's Finished. */
  #finishedPoint = Infinity;

  constructor(server: HalfStream, judge: Judge, inspection: Inspection, maxOctets: number) {
    this.#server = server;
    this.#judge = judge;
    this.#inspection = inspection;
    this.#maxOctets = maxOctets;
  }

  /** The ruling accepts; it rests on what the server sent below `decisionPoint`. */
  begin(decisionPoint: number): void {
    this.#decisionPoint = decisionPoint;
    this.#note();
  }

  /** The client has acknowledged something; its own octets with that are not read yet. */
  onAcknowledgment(): void {
    const { session } = this.#judge;
    if (this.#server.acked >= this.#finishedPoint) session.onDelivered(!this.#inspection.clientAtBoundary);
  }

  /** A server's packet with octets behind the decision. */
  onServerPacket({ bytes, seq, dataStart, dataEnd }: TcpView): void {
    const { session } = this.#judge;
    if (!session.isAwaited) return;
    const outcome = this.#server.accept(seq, bytes, dataStart, dataEnd, this.#inspection.feedServer);
    if (isDoubtful(outcome) || this.#server.next - this.#decisionPoint > this.#maxOctets) session.giveUp();
    this.#note();
  }

  /** Copies are kept for as long as a session rests on them. */
  #note(): void {
    const { session } = this.#judge;
    if (session.isServerFinished) this.#finishedPoint = Math.min(this.#finishedPoint, this.#server.next);
    if (!session.isAwaited) this.#server.keepUntil(this.#decisionPoint);
    else if (session.isServerFinished) this.#server.keepUntil(this.#finishedPoint);
  }
}

function isDoubtful(outcome: SegmentOutcome): boolean {
  return outcome === SEGMENT.refused || outcome === SEGMENT.conflict;
}
