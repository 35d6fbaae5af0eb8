/**
 * What the engine needs from the world and what it offers to it. Sources, probers and reporters implement or call
 * these; the engine imports none of them.
 */
import type { PacketBatch } from '../packet/batch.ts';
import type { FlowEvent } from './events.ts';

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

/** What only the whole of a certificate path can tell (RFC 5280 §6, RFC 9525). Plain data: it crosses threads. */
export interface ExamineRequest {
  /** DER in wire order, the leaf first. */
  readonly chain: readonly Uint8Array[];
  /** Whole certificates that pins give: each may close a path whose root was not sent. */
  readonly anchors: readonly Uint8Array[];
  /** Names that the leaf may have to carry. */
  readonly names: readonly string[];
  /** Milliseconds since the epoch. */
  readonly atMs: number;
  /** DER of trusted certificates; empty when trust is not asked for. */
  readonly trust: readonly Uint8Array[];
}

export interface ChainFacts {
  /** Indexes into `chain` of certificates on a verified path from the leaf, the leaf included. */
  readonly onPath: readonly number[];
  /** Those of `anchors` that close a verified path from the leaf, by index. */
  readonly anchorsOnPath: readonly number[];
  /** Those of `names` that the leaf carries (RFC 9525). */
  readonly namesMatched: readonly string[];
  readonly leafValidAt: boolean;
  readonly trusted: boolean;
}

/** Judges paths off the packet thread; `done` may be called before `examine` returns, and is called at most once. */
export interface ChainExaminer {
  examine(request: ExamineRequest, done: (facts: ChainFacts) => void): void;
}

/** A signature that shows who chose a handshake's parameters (RFC 5246 §7.4.3). */
export interface ServerKeyExchangeProof {
  /** The leaf's SubjectPublicKeyInfo. */
  readonly spki: Uint8Array;
  readonly version: number;
  /** SignatureScheme; 0 before TLS 1.2, where the key implies it. */
  readonly scheme: number;
  /** client_random ‖ server_random ‖ params. */
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
}

/** False for anything but a signature that verifies; never throws. */
export type ProofVerifier = (proof: ServerKeyExchangeProof) => boolean;
