/**
 * What a source of packets is, and where its packets' verdicts go: the kernel's queue, a capture, a decorator around
 * either. The engine is written against these and imports none of them. Knows no flow.
 */
import type { PacketBatch } from './batch.ts';

/** A connmark change: bits outside `mask` stay as they are. */
export interface MarkChange {
  readonly value: number;
  readonly mask: number;
}

/** A flow of which nothing more is read: its segments need not be handed over, as long as it hears that they came. */
export interface PassingFlow {
  /** `isForward`: from the endpoint that is the first of the flow's key. False: it is no more, and this one is to come. */
  passes(tcpFlags: number, micros: number, isForward: boolean): boolean;
}

export interface VerdictOptions {
  /** Written to the connection by the route that the source chose at bind. */
  readonly connmark?: MarkChange;
  /** Replaces the packet from its IP header on; the source copies it before `verdict` returns. */
  readonly payload?: Uint8Array;
  /** Of a capture: the flow of the packet, whose next segments up to a SYN may pass by. */
  readonly passing?: PassingFlow;
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
  /** The source has lost what it reads from: nothing comes any more. */
  onSourceLost?(error: Error): void;
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

/** In microseconds; offline both are the capture's time. */
export interface Clock {
  /** For durations, on a clock that nobody sets: the one that packets carry. Its zero means nothing. */
  now(): number;
  /** The time of day, since the epoch: for records and for what has dates. It may jump either way. */
  wallTime(): number;
}
