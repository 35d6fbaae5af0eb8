/**
 * Reads on behind a decision that accepts: for the session that the server may hand out, its octets up to its Finished,
 * of which copies are kept so that the client has the same; and whether the client goes on. Packets pass meanwhile; where
 * anything is doubtful, nothing is remembered.
 */
import type { TcpView } from '../packet/tcp.ts';
import { SEGMENT, type SegmentOutcome } from '../tcp/half-stream.ts';
import type { Inspection } from './inspection.ts';
import type { Judge } from '../judge/judge.ts';
import type { Inspected, Streams } from './streams.ts';

export class ReadingOn {
  readonly #streams: Streams;
  readonly #judge: Judge;
  readonly #inspection: Inspection;
  /** Octets of each side's that are read at the most: the server's behind the decision, all of the client's. */
  readonly #maxOctets: number;
  /** Offset that a client has acknowledged when it has the server's Finished. */
  #finishedPoint = Infinity;

  constructor(streams: Streams, { judge, inspection }: Inspected, maxOctets: number) {
    this.#streams = streams;
    this.#judge = judge;
    this.#inspection = inspection;
    this.#maxOctets = maxOctets;
  }

  /** The ruling accepts; it rests on what the server sent below the decision point. */
  begin(): void {
    this.#note();
  }

  /** True when it shows that the client believes what it was shown of a server that is recorded. */
  onClientPacket(tcp: TcpView): boolean {
    const { session } = this.#judge;
    // Its own octets with that are not read yet.
    if (this.#streams.server.acked >= this.#finishedPoint) session.onDelivered(!this.#inspection.clientAtBoundary);
    return tcp.dataLength > 0 && this.#judge.readsClient && this.#readClient(tcp);
  }

  /** A server's packet with octets behind the decision, the first of them at `offset`. */
  onServerPacket(tcp: TcpView, offset: number): void {
    const { session, continuation } = this.#judge;
    if (session.isAwaited) this.#readServer(tcp);
    // Whoever only listens does not become a matter for ever.
    if (offset - this.#streams.decisionPoint > this.#maxOctets) continuation.giveUp();
  }

  #readClient({ bytes, seq, dataStart, dataEnd }: TcpView): boolean {
    const { continuation, session } = this.#judge;
    const { client } = this.#streams;
    const wasAwaited = continuation.isAwaited;
    const outcome = client.accept(seq, bytes, dataStart, dataEnd, this.#inspection.feedClient);
    if (isDoubtful(outcome) || client.next > this.#maxOctets) {
      if (wasAwaited) continuation.giveUp();
      session.giveUp();
    }
    return wasAwaited && continuation.isSeen;
  }

  #readServer({ bytes, seq, dataStart, dataEnd }: TcpView): void {
    const { server, decisionPoint } = this.#streams;
    const outcome = server.accept(seq, bytes, dataStart, dataEnd, this.#inspection.feedServer);
    if (isDoubtful(outcome) || server.next - decisionPoint > this.#maxOctets) this.#judge.session.giveUp();
    this.#note();
  }

  /** Copies are kept for as long as a session rests on them. */
  #note(): void {
    const { session } = this.#judge;
    const { server, decisionPoint } = this.#streams;
    if (session.isServerFinished) this.#finishedPoint = Math.min(this.#finishedPoint, server.next);
    if (!session.isAwaited) server.keepUntil(decisionPoint);
    else if (session.isServerFinished) server.keepUntil(this.#finishedPoint);
  }
}

function isDoubtful(outcome: SegmentOutcome): boolean {
  return outcome === SEGMENT.refused || outcome === SEGMENT.conflict;
}
