/**
 * What the engine needs from the world and what it offers to it. Sources, probers and reporters implement or call
 * these; the engine imports none of them.
 */
import type { Policy } from '../pins/policy.ts';
import type { PacketBatch } from '../packet/batch.ts';
import type { ChainFacts, ExamineRequest } from '../x509/examine.ts';
import type { SignedKeyExchange } from '../x509/proof.ts';
import type { FlowEvent } from './events.ts';

export type { ChainFacts, ExamineRequest };

/** A connmark change: bits outside `mask` stay as they are. */
export interface MarkChange {
  readonly value: number;
  readonly mask: number;
}

export interface VerdictOptions {
  /** Written to the connection by the route that the source chose at bind. */
  readonly connmark?: MarkChange;
  /** Replaces the packet from its IP header on; the source copies it before `verdict` returns. */
  readonly payload?: Uint8Array;
}

/** One verdict for each packet id, exactly once; `flush` sends what has gathered. */
export interface VerdictSink {
  verdict(packetId: number, verdict: number, options?: VerdictOptions): void;
  flush(): void;
}

/** The engine's side of a source. The batch is valid only until `onBatch` returns. */
export interface PacketSink {
  onBatch(batch: PacketBatch): void;
  /** A source's own trouble, such as ENOBUFS; never a packet's. */
  onSourceError?(error: Error): void;
}

export interface PacketSource extends VerdictSink {
  start(sink: PacketSink): Promise<void>;
  stop(): Promise<void>;
  stats(): SourceStats;
}

export interface SourceStats {
  /** Packets handed to the sink. */
  received: number;
  accepted: number;
  dropped: number;
  /** The kernel's own losses: queue full, and receive buffer full (ENOBUFS). */
  queueDropped: number;
  userDropped: number;
  enobufs: number;
  /** Verdicts that the kernel refused (unknown id). */
  verdictErrors: number;
}

/** Microseconds since the epoch; the capture's time offline. */
export interface Clock {
  now(): number;
}

/** Takes events; must not block and must not keep the packet path waiting. */
export interface EventSink {
  emit(event: FlowEvent): void;
}

/** Judges paths off the packet thread; `done` may be called before `examine` returns, and is called at most once. */
export interface ChainExaminer {
  examine(request: ExamineRequest, done: (facts: ChainFacts) => void): void;
}

/** Whether a signature shows who chose a handshake's parameters; never throws. */
export type ProofVerifier = (exchange: SignedKeyExchange) => boolean;

/** Everything that an engine is made with. */
export interface EngineOptions {
  readonly policy: Policy;
  readonly verdicts: VerdictSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly examiner: ChainExaminer;
  readonly proves: ProofVerifier;
  /** False for captures: nothing is held or denied, connections are picked up in their middle, records come at the end. */
  readonly live: boolean;
  /** Says each handshake message; off unless somebody watches, since it costs an event a message. */
  readonly watch?: boolean;
}
