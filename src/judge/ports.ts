/**
 * Who fetches evidence for the judge: paths and names of a chain, a signature's proof, a server's answer to a probe, a
 * secret that a client logged. The world implements these; the judge imports none of it.
 */
import type { ChainFacts, ExamineRequest } from '../x509/examine.ts';
import type { SignedKeyExchange } from '../x509/proof.ts';
import type { SynTraits } from '../packet/syn-traits.ts';
import type { Endpoint } from './events.ts';

export type { ChainFacts, ExamineRequest };

/** Judges paths off the packet thread; `done` may be called before `examine` returns, and is called at most once. */
export interface ChainExaminer {
  examine(request: ExamineRequest, done: (facts: ChainFacts) => void, by: Questioner): void;
}

/** Whose flow asks, so that nobody's questions keep everybody's waiting. */
export interface Questioner {
  readonly client: Endpoint;
  readonly server: Endpoint;
  /** Aborted once nobody waits for the answer. */
  readonly signal: AbortSignal;
}

/** Whether a signature shows who chose a handshake's parameters; never throws. */
export type ProofVerifier = (exchange: SignedKeyExchange) => boolean;

/**
 * awaited   its client waits for what it is shown
 * decoy     the same, and it is begun beside the client's, to be taken for it
 * behind    nobody waits: what the client was answered from memory is checked
 */
export type ProbeRole = 'awaited' | 'decoy' | 'behind';

/** Of a client's connection, in whose place a server may be asked. Plain data. */
export interface ProbeEnds {
  readonly server: Endpoint;
  readonly client: Endpoint;
  /** What its SYN told of its system; undefined where that was not seen. */
  readonly synTraits?: SynTraits | undefined;
}

/** What the certificates of a server are asked for with: a client's own question. Plain data. */
export interface ProbeRequest extends ProbeEnds {
  /** Body of the client's first ClientHello, without its handshake header. */
  readonly clientHello: Uint8Array;
  /** Number of its HelloPattern, which the thread that asks has given it; absent where it has none. */
  readonly pattern?: number | undefined;
  /** Of the record that began it. */
  readonly recordVersion: number;
  /** The protocol that came before TLS, as the preamble names it. */
  readonly starttls: string | null;
  /** Proxies on the way, from the outside in, and what was asked of each; null where only its client can ask. */
  readonly tunnels: readonly ProbeTunnel[];
  /** Milliseconds that the client waited for the server's first word: whoever asks in its place may have to as well. */
  readonly patience: number;
}

export interface ProbeTunnel {
  readonly protocol: 'http-connect' | 'socks4' | 'socks5';
  readonly request: Uint8Array | null;
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
  /** Somebody who was asked elsewhere was shown another key. */
  readonly isDisputed?: boolean;
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

/**
 * Asks a server in a client's place; `done` is called exactly once and may be called before `probe` returns. `connected`
 * is called ahead of it, once at the most: the server has a connection for the question, so that the client's own, from
 * now on, is not the one that it might have no room for.
 */
export interface Prober {
  probe(request: ProbeRequest, done: (answer: ProbeAnswer) => void, connected?: () => void): void;
  /**
   * A client's SYN waits for others to be begun beside its connection, which later ask what it asks. `go`: it may leave;
   * called exactly once, and maybe before `accompany` returns. Absent: no connection has company.
   */
  accompany?(ends: ProbeEnds, go: () => void): void;
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
