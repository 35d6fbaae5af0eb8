/**
 * What the judge of one flow asks of its surroundings: the flow's ends, the configuration in force, what all flows share,
 * and who can be asked. Types only.
 */
import type { SynTraits } from '../packet/syn-traits.ts';
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { PresentedCertificate } from '../x509/presented.ts';
import type { AnomalyCode, HandshakeEvent } from './events.ts';
import type { ChainExaminer, Prober, ProofVerifier } from './ports.ts';
import type { SecretBoard } from './secret-board.ts';
import type { ServerHabits } from './server-habits.ts';
import type { SessionMemory } from './sessions.ts';

export interface JudgeContext {
  readonly snapshot: PinsetSnapshot;
  readonly subject: FlowSubject;
  /** Undefined where its SYN was not seen. */
  readonly synTraits?: SynTraits | undefined;
  readonly sessions: SessionMemory;
  readonly examiner: ChainExaminer;
  readonly habits: ServerHabits;
  /** Undefined where nobody can be asked. */
  readonly prober: Prober | undefined;
  /** Undefined where there is no key log. */
  readonly secrets: SecretBoard | undefined;
  /** False for captures, where a secret is at hand or never will be. */
  readonly live: boolean;
  /** Whether few packets of all flows wait, so that one more may wait for longer. */
  readonly hasRoom: boolean;
  /** Microseconds, for durations: on a clock that nobody sets. */
  now(): number;
  /** Milliseconds since the epoch, for what has dates. */
  dateMs(): number;
  readonly proves: ProofVerifier;
  /** Hashes and reads a certificate; keeps its own copy. */
  present(der: Uint8Array): PresentedCertificate;
  /** Called when an answer from outside arrives: a ruling may be there, or the wait may be over. */
  settled(): void;
  anomaly(code: AnomalyCode, detail: string): void;
  /** Undefined unless somebody watches. */
  readonly watch: ((message: WatchedMessage) => void) | undefined;
  count(limit: LimitName): void;
}

/** A handshake message, for whoever watches. */
export type WatchedMessage = Pick<HandshakeEvent, 'from' | 'messageType' | 'length' | 'sni' | 'leaf'>;
