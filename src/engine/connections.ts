/**
 * The TCP connections of an engine: makes them, has them wait and expire, and tells of what became of each. What their
 * packets come to is connection.ts; which flow a packet is of, segments.ts.
 */
import type { Answers } from '../connection/answers.ts';
import type { Connection, ConnectionHost } from '../connection/connection.ts';
import { ConnectionFactory } from '../connection/factory.ts';
import type { FlowNumbers } from '../connection/flow-numbers.ts';
import { Flows } from '../connection/flows.ts';
import { listFlows, type FlowPage, type FlowQuestion } from '../connection/listing.ts';
import { bareEvent, verdictEvent } from '../connection/record.ts';
import type { Inspected } from '../connection/streams.ts';
import { Roles } from '../connection/roles.ts';
import { type KeptSettled, Settled } from '../connection/settled.ts';
import type { Surroundings } from '../connection/surroundings.ts';
import { Waiting } from '../connection/waiting.ts';
import type { Clock } from '../packet/source.ts';
import type { PacketContext } from '../packet/context.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { PagePool } from '../tcp/page-pool.ts';
import type { VerdictEvent } from '../judge/events.ts';
import { isOfNoPinset } from '../judge/ruling.ts';

export interface ConnectionsParts {
  readonly options: Surroundings;
  readonly answers: Answers;
  readonly numbers: FlowNumbers;
  /** The engine's, for the packet at hand. */
  readonly clock: Clock;
  /** Of the keys by which flows are found. */
  readonly seed: number;
}

export class Connections implements ConnectionHost {
  readonly answers: Answers;
  readonly live: boolean;
  readonly pool = new PagePool();
  readonly flows: Flows;
  readonly factory: ConnectionFactory;
  readonly #options: Surroundings;
  readonly #waiting = new Waiting();

  constructor({ options, answers, numbers, clock, seed }: ConnectionsParts) {
    this.#options = options;
    this.answers = answers;
    this.live = options.live;
    this.flows = new Flows({
      capacity: answers.limits.flows,
      seed,
      handshakeTimeout: () => (options.live ? answers.limits.handshakeTimeout * 1000 : Infinity),
      onHandshakeTimeout: (connection, now) => connection.onHandshakeTimeout(now),
      onForgotten: (connection, wasDecided, now) => this.#onForgotten(connection, wasDecided, now),
    });
    this.factory = new ConnectionFactory({ options, host: this, clock, numbers });
  }

  /** Whether any waits for something that has a deadline. */
  get waits(): boolean {
    return !this.#waiting.isEmpty;
  }

  /** For operators; changes nothing. */
  list(question: FlowQuestion): FlowPage {
    const { snapshot, marks } = this.answers;
    const { clock } = this.#options;
    return listFlows({ connections: this.flows.connections(), marks, config: snapshot.policy.hash, clock }, question);
  }

  /** Does what is due. Microseconds until it wants to be called again; Infinity when nothing waits. */
  tick(now: number): number {
    this.#waiting.tick(now);
    this.flows.expire(now);
    const next = this.#waiting.deadline() - now;
    return this.flows.count > 0 ? Math.max(0, Math.min(next, SECOND)) : next;
  }

  /** Another configuration is in force: what is undecided is judged by it, decided ones keep their decision. */
  reselect(): void {
    this.factory.forgetSessions();
    for (const connection of [...this.flows.connections()]) {
      if (!connection.isOpen) continue;
      if (this.flows.isDecided(connection)) {
        // What it still hands out was judged by the old one.
        connection.judge.session.giveUp();
        continue;
      }
      connection.judge.reselect();
      connection.onSettled(this.#options.clock.now());
    }
  }

  /** Gives up the oldest connection that has not begun a handshake, else the oldest that is decided. */
  makeRoom(now: number): boolean {
    const outcome = this.flows.makeRoom(now);
    if (outcome === 'made') this.answers.count('flows');
    return outcome !== 'full';
  }

  /** Moves the connection between the clocks, once the packet is answered. */
  refresh(connection: Connection, p: PacketContext): void {
    const hasBegun = connection.isOpen && (connection.inspection.begun || connection.phase !== 'inspecting');
    if (hasBegun) this.flows.onBegun(connection, p.time);
    if (!this.live && connection.isOpen && connection.isShown) {
      connection.tell(this.#recordOf(connection, connection.decidedAt) ?? null);
    }
    if (this.live && this.pool.used > this.answers.limits.bufferBytes) this.#relieve(p.time);
  }

  /** Gives up connections until an eighth of the memory is free, so that it is not to be done again at once. */
  #relieve(now: number): void {
    const { bufferBytes } = this.answers.limits;
    for (const connection of this.flows.byMemory()) {
      if (this.pool.used <= bufferBytes * 0.875) return;
      this.answers.count('bufferBytes');
      this.flows.forget(connection, now);
    }
  }

  inspect(connection: Connection): Inspected {
    return this.factory.inspect(connection);
  }

  onWaits(connection: Connection): void {
    this.#waiting.add(connection);
  }

  /** From a port where servers are expected a client may come, and a server that says it is one. */
  doubt(connection: Connection): Roles | undefined {
    const { client, server } = connection.subject;
    const { snapshot } = this.answers;
    if (!this.live || !snapshot.isServerPort(client.port)) return undefined;
    if (!snapshot.isServerPort(server.port)) connection.judge.leave();
    return new Roles(() => this.#deniesReversed({ client: server, server: client }));
  }

  onContinued(connection: Connection): void {
    const { judge, decidedBy } = connection;
    const { clock, events } = this.#options;
    const verdict = verdictEvent(connection, judge.ruling, decidedBy, this.answers.marks, clock.wallTime());
    events.emit({ kind: 'continued', verdict });
  }

  onDecided(connection: Connection): void {
    connection.decidedBy = this.answers.snapshot.policy.hash;
    this.flows.onDecided(connection);
    if (connection.judge.ruling?.action === 'accept') this.flows.accepted.add(connection.key);
    this.#report(connection, this.#options.clock.wallTime());
  }

  onSettled(connection: Connection, isAccepted: boolean, isMarked: boolean): void {
    const { marks } = this.answers;
    const { accepted } = this.flows;
    if (isAccepted) accepted.keep(connection.key);
    else accepted.delete(connection.key);
    const connmark = connection.judge.ruling?.connmark ?? null;
    const mark = isAccepted ? marks.accept(connmark) : marks.deny(connmark);
    this.flows.onSettled(connection, Settled.of(connection, isAccepted, mark, isMarked));
  }

  /** What another process is to know of these connections, so that who was accepted or denied stays so. */
  keep(now: number): KeptSettled[] {
    for (const connection of [...this.flows.connections()]) connection.settleIfCovered();
    return this.flows.keep(now);
  }

  /** By what the flow is with the roles that both ends have. */
  #deniesReversed(subject: FlowSubject): boolean {
    const judge = this.factory.judge(subject);
    judge.settleBy('parseError', 'parse-error', 'tcp.simultaneous-open');
    const ruling = judge.ruling!;
    if (ruling.action === 'accept') return false;
    const { clock, events } = this.#options;
    const { policy } = this.answers.snapshot;
    events.emit(bareEvent(subject, { ...ruling, action: 'drop' }, policy.hash, clock.wallTime()));
    return true;
  }

  #onForgotten(connection: Connection, wasDecided: boolean, now: number): void {
    connection.abandon(now);
    // One that never opened has nothing to tell.
    if (wasDecided || !connection.isOpen) return;
    const { told } = connection;
    if (told !== undefined) return told === null ? undefined : this.#options.events.emit(told);
    this.#report(connection, this.live ? this.#options.clock.wallTime() : connection.decidedAt || connection.lastSeen);
  }

  #report(connection: Connection, time: number): void {
    const record = this.#recordOf(connection, time);
    if (record !== undefined) this.#options.events.emit(record);
  }

  /** Undefined where there is none to be. */
  #recordOf(connection: Connection, time: number): VerdictEvent | undefined {
    const { live } = this.#options;
    const { marks, snapshot } = this.answers;
    const { policy } = snapshot;
    const { ruling, facts } = connection.judge;
    // A connection that ended by itself, before anything could be decided.
    if (ruling === undefined && !facts.isTls) return undefined;
    if (live && !policy.log.unpinned && ruling !== undefined && isOfNoPinset(ruling)) return undefined;
    if (!live && !facts.isTls && (ruling === undefined || ruling.reason === 'not-tls') && policy.pinsets.length === 0)
      return undefined;
    const tookMicros = live && ruling !== undefined ? this.#timeOf(connection) : undefined;
    return verdictEvent(connection, ruling, policy.hash, live ? marks : undefined, time, tookMicros);
  }

  /** That of a decision by the very packet that began it is nothing. */
  #timeOf({ begunAt }: Connection): number {
    return begunAt === Infinity ? 0 : Math.max(0, this.#options.clock.now() - begunAt);
  }
}

const SECOND = 1e6;
