/**
 * Makes connections, each with the judge and the inspection that are its own, and what they share: the snapshot in
 * force, the sessions that were bound under it, the engine's clock. Owns no table.
 */
import { copyOf } from '../bytes/copy.ts';
import type { LimitName } from '../pins/limits.ts';
import type { FlowSubject, PinsetSnapshot } from '../pins/match/snapshot.ts';
import type { FlowKey } from '../tcp/flow-key.ts';
import { CertificateCache } from '../x509/certificate-cache.ts';
import type { PresentedCertificate } from '../x509/presented.ts';
import { Connection, type ConnectionHost } from './connection.ts';
import type { Inspected } from './streams.ts';
import type { AnomalyCode, AnomalyEvent, HandshakeEvent } from '../judge/events.ts';
import type { FlowNumbers } from './flow-numbers.ts';
import { HalfOpen } from './half-open.ts';
import { Inspection } from './inspection.ts';
import { Judge } from '../judge/judge.ts';
import type { JudgeContext } from '../judge/context.ts';
import type { PacketContext } from '../packet/context.ts';
import type { SynTraits } from '../packet/syn-traits.ts';
import type { Clock } from '../packet/source.ts';
import type { Surroundings } from './surroundings.ts';
import type { ChainExaminer, ProofVerifier, Prober } from '../judge/ports.ts';
import { asksFirst } from '../judge/awaited/hello.ts';
import { SecretBoard } from '../judge/secret-board.ts';
import { ServerHabits } from '../judge/server-habits.ts';
import { type KeptSession, SessionMemory } from '../judge/sessions.ts';

export interface FactoryParts {
  readonly options: Surroundings;
  readonly host: ConnectionHost;
  /** The engine's clock, for the packet at hand. */
  readonly clock: Clock;
  readonly numbers: FlowNumbers;
}

export class ConnectionFactory {
  readonly #parts: FactoryParts;
  readonly #shared: Shared;

  constructor(parts: FactoryParts) {
    this.#parts = parts;
    const { keylog } = parts.options;
    this.#shared = {
      ...parts,
      sessions: new SessionMemory(SESSIONS),
      certificates: new CertificateCache(),
      habits: new ServerHabits(),
      secrets: keylog && new SecretBoard(keylog),
    };
  }

  /** `key` is that of `p`. */
  halfOpen(p: PacketContext, key: FlowKey, fromClient = true): HalfOpen {
    return new HalfOpen({
      id: this.#parts.numbers.next(p.frame),
      key: key.kept,
      clientForward: key.forward === fromClient,
      frame: p.frame,
      time: p.time,
    });
  }

  /** Once there is more to it than an acknowledgment. */
  connection(begun: HalfOpen, subject: FlowSubject, now: number): Connection {
    return new Connection(this.#parts.host, begun, subject, now);
  }

  /** The judge and the inspection of a connection, once it is open. */
  inspect(connection: Connection): Inspected {
    const { host, options } = this.#parts;
    const judge = new Judge(new FlowContext(this.#shared, connection.subject, connection));
    return { judge, inspection: new Inspection(judge, { limits: host.answers.limits, clientFirst: options.live }) };
  }

  /** Whether the client's acknowledgment, too, waits until the server was asked in its place. */
  asksFirst(subject: FlowSubject): boolean {
    return asksFirst(new FlowContext(this.#shared, subject, undefined));
  }

  /** The judge of a flow that no connection will be made of: nobody tells it anything later. */
  judge(subject: FlowSubject): Judge {
    return new Judge(new FlowContext(this.#shared, subject, undefined));
  }

  keepSessions(now: number): KeptSession[] {
    return this.#shared.sessions.keep(now);
  }

  newSessions(now: number): KeptSession[] {
    return this.#shared.sessions.takeNews(now);
  }

  restoreSessions(kept: readonly KeptSession[], now: number): void {
    this.#shared.sessions.restore(kept, now);
  }

  /** Sessions stand for pinsets of one configuration. */
  forgetSessions(): void {
    this.#shared.sessions.clear();
  }
}

/** What all connections share. */
interface Shared extends FactoryParts {
  readonly sessions: SessionMemory;
  readonly certificates: CertificateCache;
  readonly habits: ServerHabits;
  readonly secrets: SecretBoard | undefined;
}

/** What a judge asks of its surroundings. Every connection has one, so it holds nothing but whose it is. */
class FlowContext implements JudgeContext {
  readonly subject: FlowSubject;
  readonly #shared: Shared;
  readonly #connection: Connection | undefined;

  constructor(shared: Shared, subject: FlowSubject, connection: Connection | undefined) {
    this.#shared = shared;
    this.subject = subject;
    this.#connection = connection;
  }

  get snapshot(): PinsetSnapshot {
    return this.#shared.host.answers.snapshot;
  }

  get sessions(): SessionMemory {
    return this.#shared.sessions;
  }

  get habits(): ServerHabits {
    return this.#shared.habits;
  }

  get secrets(): SecretBoard | undefined {
    return this.#shared.secrets;
  }

  get examiner(): ChainExaminer {
    return this.#shared.options.examiner;
  }

  get synTraits(): SynTraits | undefined {
    return this.#connection?.opening.synTraits;
  }

  get prober(): Prober | undefined {
    return this.#shared.options.prober;
  }

  get proves(): ProofVerifier {
    return this.#shared.options.proves;
  }

  get live(): boolean {
    return this.#shared.options.live;
  }

  get hasRoom(): boolean {
    return this.#shared.host.answers.hasRoom;
  }

  get watch(): JudgeContext['watch'] {
    return this.#shared.options.watch ? (message) => this.#emit({ kind: 'handshake', ...message }) : undefined;
  }

  now(): number {
    return this.#shared.clock.now();
  }

  dateMs(): number {
    return this.#shared.clock.wallTime() / 1000;
  }

  present(der: Uint8Array): PresentedCertificate {
    return this.#shared.certificates.present(der);
  }

  settled(): void {
    this.#connection?.onSettled(this.now());
    this.#shared.options.verdicts.flush();
  }

  anomaly(code: AnomalyCode, detail: string): void {
    this.#emit({ kind: 'anomaly', flowId: 0, code, detail });
  }

  count(limit: LimitName): void {
    this.#shared.host.answers.count(limit);
  }

  #emit(event: Told<HandshakeEvent> | Told<AnomalyEvent>): void {
    this.#shared.options.events.emit({ time: this.#shared.clock.wallTime(), ...this.subject, ...event });
  }
}

type Told<Event> = Event extends unknown ? Omit<Event, 'time' | 'client' | 'server'> : never;

/** Both ends of a packet's flow, copied. */
export function subjectOf(p: PacketContext, fromClient: boolean): FlowSubject {
  const { bytes, addresses, addressLength } = p.ip;
  const source = copyOf(bytes, addresses, addresses + addressLength);
  const destination = copyOf(bytes, addresses + addressLength, addresses + 2 * addressLength);
  const sender = { address: source, port: p.tcp.srcPort };
  const receiver = { address: destination, port: p.tcp.dstPort };
  return fromClient ? { client: sender, server: receiver } : { client: receiver, server: sender };
}

/** Sessions that are remembered for resumption. */
const SESSIONS = 10_000;
