/**
 * What the engine needs from the world and what it offers to it. Sources, probers and reporters implement or call
 * these; the engine imports none of them.
 */
import type { Policy } from '../pins/policy.ts';
import type { PinsetSnapshot } from '../pins/snapshot.ts';
import type { PacketBatch } from '../packet/batch.ts';
import type { ChainFacts, ExamineRequest } from '../x509/examine.ts';
import type { SignedKeyExchange } from '../x509/proof.ts';
import type { Endpoint, FlowEvent } from './events.ts';
import type { FlowNumbering } from './flow-numbers.ts';

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

/** What the certificates of a server are asked for with: a client's own question. Plain data. */
export interface ProbeRequest {
  readonly server: Endpoint;
  readonly client: Endpoint;
  /** Body of the client's first ClientHello, without its handshake header. */
  readonly clientHello: Uint8Array;
  /** Of the record that began it. */
  readonly recordVersion: number;
  /** The protocol that came before TLS, as the preamble names it. */
  readonly starttls: string | null;
}

/** What the server shows to that question. */
export type ProbeAnswer = ProbedCertificates | ProbeFailed;

export interface ProbedCertificates {
  readonly kind: 'certificates';
  /** DER as sent, in wire order; of a raw public key its one SubjectPublicKeyInfo. */
  readonly chain: readonly Uint8Array[];
  readonly isRawPublicKey: boolean;
  /** Negotiated. */
  readonly version: number;
  /** Whether the server showed that it has the key of the first one. */
  readonly proven: boolean;
  /** What other probes of the same question were shown in the last minute, where that was another chain. */
  readonly alternatives: readonly ProbedAlternative[];
  readonly fromCache: boolean;
}

export type ProbedAlternative = Pick<ProbedCertificates, 'chain' | 'isRawPublicKey' | 'proven'>;

export interface ProbeFailed {
  readonly kind: 'failed';
  readonly reason: ProbeFailure;
  /** Such as `ECONNREFUSED`, an alert's number or the code of a fault; empty where there is no more to say. */
  readonly detail: string;
  readonly fromCache: boolean;
}

/**
 * `unreachable`: no connection; `closed`: it ended too early; `alert`: the server refused; `protocol`: what it sent is
 * no TLS that a client would accept; `unsupported`: nothing that a probe can speak; `no-certificate`: it has none to
 * show; `limited`: too many probes; `forbidden`: an address that is not probed; `not-marked`: the probe's own packets
 * could not be told from others, so none was sent.
 */
export type ProbeFailure =
  | 'unreachable'
  | 'closed'
  | 'timeout'
  | 'alert'
  | 'protocol'
  | 'unsupported'
  | 'no-certificate'
  | 'limited'
  | 'forbidden'
  | 'not-marked'
  | 'stopped';

/** Asks a server in a client's place; `done` is called exactly once and may be called before `probe` returns. */
export interface Prober {
  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void): void;
}

/** Secrets that clients log (RFC 9850), by client random. */
export interface KeylogSource {
  /** SERVER_HANDSHAKE_TRAFFIC_SECRET. */
  secretFor(clientRandom: Uint8Array): Uint8Array | undefined;
  /** Called for each secret that comes from now on. */
  onSecret(listener: (clientRandom: Uint8Array, secret: Uint8Array) => void): void;
  /** The decision is made: the secret is not needed any more. */
  forget(clientRandom: Uint8Array): void;
}

/** Everything that an engine is made with. */
export interface EngineOptions {
  readonly policy: Policy;
  /** Of the policy, where it is made already. */
  readonly snapshot?: PinsetSnapshot | undefined;
  readonly verdicts: VerdictSink;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly examiner: ChainExaminer;
  readonly proves: ProofVerifier;
  /** Undefined where nobody can be asked, as offline: every question has failed. */
  readonly prober?: Prober | undefined;
  /** Undefined where there is no key log. */
  readonly keylog?: KeylogSource | undefined;
  /** False for captures: nothing is held or denied, connections are picked up in their middle, records come at the end. */
  readonly live: boolean;
  /** What is left out: the engine is the only one of its run. */
  readonly numbering?: FlowNumbering | undefined;
  /** Says each handshake message; off unless somebody watches, since it costs an event a message. */
  readonly watch?: boolean;
}
