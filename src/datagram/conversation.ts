/** What QUIC and DTLS look like to the flow that their datagrams are of, and what they ask of it. */
import type { Limits } from '../pins/limits.ts';
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { DatagramVerdict, HeldDatagram } from './packet.ts';
import type { FlowFacts } from '../judge/facts.ts';
import type { PacketContext } from '../packet/context.ts';
import type { ChainExaminer, ProofVerifier } from '../judge/ports.ts';
import type { Ruling } from '../judge/ruling.ts';

export interface ConversationHost {
  readonly live: boolean;
  readonly snapshot: PinsetSnapshot;
  readonly limits: Limits;
  readonly subject: FlowSubject;
  readonly examiner: ChainExaminer;
  readonly proves: ProofVerifier;
  /** Microseconds, for durations: on a clock that nobody sets. */
  now(): number;
  /** Milliseconds since the epoch, for what has dates. */
  dateMs(): number;
  count(limit: LimitName): void;
  /** False when no further packet may wait. */
  mayHold(): boolean;
  /** Answers a datagram that `hold` was said of, before. */
  release(datagram: HeldDatagram, verdict: Exclude<DatagramVerdict, 'hold'>): void;
  report(told: Told): void;
  /** The client believes what it was shown of a server that is recorded. */
  onContinued(ruling: Ruling, facts: FlowFacts): void;
}

/** What the log is told. */
export interface Told {
  readonly kind: 'quic' | 'dtls';
  readonly ruling: Ruling;
  /** False where it ended before anything was decided: then the ruling says what it came to. */
  readonly isDecided: boolean;
  readonly facts: FlowFacts | undefined;
  /** VerdictEvent's. */
  readonly proven: boolean;
}

export interface Conversation {
  readonly kind: 'quic' | 'dtls';
  /** What becomes of the datagram. One that is to wait is kept here until `release`. */
  onClient(p: PacketContext): DatagramVerdict;
  onServer(p: PacketContext): DatagramVerdict;
  /** The ruling by which the rest of the flow may pass unseen, once the datagram at hand has shown that the client has it. */
  accepted(p: PacketContext, fromClient: boolean): Ruling | undefined;
  /** When `onTime` wants to be called, in microseconds. */
  deadline(): number;
  onTime(now: number): void;
  /** Another configuration is in force: what is not decided is decided by it. */
  reselect(): void;
  /** No packet will come any more: answers what waits, says what was seen. */
  end(): void;
}

export function verdictOf({ action }: Ruling): Exclude<DatagramVerdict, 'hold'> {
  return action === 'accept' || action === 'drop' ? action : 'reject';
}
