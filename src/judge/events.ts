/**
 * What the engine says about flows: plain data that survives `postMessage`. The log's own names and formats (EVE) are
 * made of these in report/; nothing here knows JSON.
 */
import type { RuleMatch } from '../pins/match/match.ts';

/** `reject`: of a datagram, which its sender is told by ICMP. */
export type Action = 'accept' | 'drop' | 'reset' | 'tls-alert' | 'reject';
export type Mode = 'enforce' | 'report-only' | 'learn';
export type Evidence = 'observed' | 'resumed' | 'probed' | 'decrypted' | 'none';

export type Reason =
  | 'pin-match'
  | 'backup-pin-match'
  | 'pin-mismatch'
  | 'deny-pin'
  | 'rule'
  | 'unpinned'
  | 'learning'
  | 'no-certificate'
  | 'expired-pinset'
  | 'name-mismatch'
  | 'certificate-expired'
  | 'untrusted'
  | 'unexaminable'
  | 'no-proof'
  | 'min-version'
  | 'resumed-bound'
  | 'resumed-unbound'
  | 'probe-match'
  | 'probe-mismatch'
  | 'probe-failed'
  | 'probe-inconsistent'
  | 'keylog-missing'
  | 'no-sni'
  | 'ech'
  | 'not-tls'
  | 'starttls'
  | 'anonymous'
  | 'raw-public-key'
  | 'parse-error'
  | 'overlap-conflict'
  | 'limit'
  | 'midstream'
  | 'incomplete'
  | 'overload'
  | 'renegotiation'
  | 'quic';

/** Whose message was read, or what was done besides. */
export type Milestone = 'client' | 'server' | 'probe-asked' | 'probe-answered';

export interface Endpoint {
  /** 4 or 16 octets. */
  readonly address: Uint8Array;
  readonly port: number;
}

export interface PinsetOutcome {
  readonly pinset: string;
  readonly reason: Reason;
  readonly would: Action;
}

export interface VerdictEvent {
  readonly kind: 'verdict';
  /** Microseconds since the epoch. */
  readonly time: number;
  readonly flowId: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Absent for TLS over TCP. */
  readonly datagrams?: 'quic' | 'dtls' | undefined;
  readonly action: Action;
  readonly reason: Reason;
  /** Null when none was selected. */
  readonly pinset: string | null;
  readonly mode: Mode;
  readonly evidence: Evidence;
  /** Whether the server has shown that it has the leaf's key, as far as its key exchange can. */
  readonly proven?: boolean | undefined;
  /** The canonical spelling of the pin that decided. */
  readonly matched: string | null;
  readonly connmark: { readonly value: number; readonly mask: number } | null;
  /** Of `midstream`: how many packets this tells of, which may be of several connections. */
  readonly packets?: number | undefined;
  /** How long the flow's packets waited, in microseconds. */
  readonly heldMicros: number;
  /** From the client's first octets of TLS to the decision, in microseconds; absent where nobody can say, as offline. */
  readonly tookMicros?: number | undefined;
  /** Three values for each: which, the HandshakeType of a message, microseconds since the client's first octets of TLS. */
  readonly milestones?: readonly (Milestone | number)[] | undefined;
  /** Which interfaces lead to the client and to the server; absent where nobody knows, 0 where it is the host itself. */
  readonly inIfindex?: number | undefined;
  readonly outIfindex?: number | undefined;
  /** Hash of the configuration that decided. */
  readonly config: string;
  /** The setting that accepts, where no evidence does; absent or null otherwise. */
  readonly allowedBy?: string | null | undefined;
  /** In report-only and learn: what enforce had done. */
  readonly would: Action | null;
  readonly others: readonly PinsetOutcome[];
  /** Rules that the certificates satisfy, in order: the last one decided where the reason is `rule`. Absent: none. */
  readonly rules?: readonly RuleMatch[] | undefined;
  /** Code of the fault behind `parse-error`, `overlap-conflict` and `limit`. */
  readonly fault: string | null;
  /** The upgrade protocol that came before TLS, such as `smtp`. */
  readonly starttls: string | null;
  /** The name that a proxy was asked for, where TLS asks for another or none. */
  readonly fronted: string | null;
  /** Null when the flow was never TLS. */
  readonly tls: TlsSummary | null;
  /** Of a capture: the sides of which octets are missing that the other end has. */
  readonly gaps?: readonly ('client' | 'server')[] | undefined;
  /** Frame in which the flow began; 0 on the live path. */
  readonly frame: number;
}

/** What was seen of a handshake; numbers are wire values. */
export interface TlsSummary {
  readonly sni: string | null;
  /** Negotiated: 0x0002 for SSLv2, 0x0300 … 0x0304, 0xfeff … 0xfefc of DTLS; drafts of 1.3 as sent (0x7fxx); 0 when unknown. */
  readonly version: number;
  readonly cipherSuite: number;
  readonly clientAlpns: readonly string[];
  readonly sessionResumed: boolean;
  /** Fingerprint of the client's hello; null when it was not seen, or is of SSLv2. */
  readonly ja4: string | null;
  /** False where a flow was picked up in its midst, or ended before. */
  readonly sawClientHello: boolean;
  /** DER as sent, in wire order. */
  readonly certificates: readonly Uint8Array[];
  readonly clientCertificates: readonly Uint8Array[];
}

/** Something that operators should know and that is not a decision. */
export type AnomalyEvent = AnomalyFacts & (HappenedOnce | BeginsAndEnds);

interface AnomalyFacts {
  readonly kind: 'anomaly';
  readonly time: number;
  readonly flowId: number;
  readonly client: Endpoint | null;
  readonly server: Endpoint | null;
  readonly detail: string;
}

interface HappenedOnce {
  readonly code: AnomalyCode;
  readonly condition?: undefined;
}

/** A condition of protection, whose codes are those that watch over it. */
interface BeginsAndEnds {
  readonly code: string;
  readonly condition: ConditionState;
}

export type AnomalyCode = (typeof ANOMALY_CODES)[number];

export interface ConditionState {
  readonly severity: 'degraded' | 'unprotected';
  readonly state: 'begin' | 'end';
  /** The pinset, list or queue; empty where there is but one. */
  readonly subject: string;
}

/** A handshake message as it goes by, for whoever watches flows being decided. */
export interface HandshakeEvent {
  readonly kind: 'handshake';
  readonly time: number;
  readonly client: Endpoint;
  readonly server: Endpoint;
  readonly sni: string | null;
  readonly from: 'client' | 'server';
  /** HandshakeType. */
  readonly messageType: number;
  /** Octets of the message without its header. */
  readonly length: number;
  /** DER of the first certificate of a server's Certificate. */
  readonly leaf: Uint8Array | null;
}

/** What becomes a record of the log. */
export type LoggedEvent = VerdictEvent | AnomalyEvent;

/**
 * A client has gone on with a server that was accepted, whose keys a pinset records: it believes what it was shown. For
 * whoever learns; the verdict itself was told before.
 */
export interface ContinuedEvent {
  readonly kind: 'continued';
  readonly verdict: VerdictEvent;
}

export type FlowEvent = LoggedEvent | HandshakeEvent | ContinuedEvent;

/** Takes events; must not block and must not keep the packet path waiting. */
export interface EventSink {
  emit(event: FlowEvent): void;
}

/** Of what happens once: they do not change. docs/log.md says what to do about each. */
export const ANOMALY_CODES = [
  'tls.proof.failed',
  'probe.disputed',
  'probe.inconsistent',
  'pin.expires-soon',
  'learn.promoted',
  'learn.changed',
  'learn.disputed',
  'learn.shared-key',
  'learn.full',
] as const;
