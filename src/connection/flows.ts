/**
 * The flows that there are, by key and by age: which of them are given up when, to make room or because nothing comes
 * any more. Knows what a flow is at most by its kind; what its packets come to is for others.
 */
import type { FlowKey } from '../tcp/flow-key.ts';
import { FlowKey as Key } from '../tcp/flow-key.ts';
import { FlowNames } from '../tcp/flow-names.ts';
import { FlowTable } from '../tcp/flow-table.ts';
import { AgeList } from './age-list.ts';
import type { Connection } from './connection.ts';
import { type HalfOpen, secondsOf } from './half-open.ts';
import { type KeptSettled, Settled } from './settled.ts';

/** HalfOpen ──first octet, or anything but an ACK──▶ Connection ──mark written──▶ Settled */
export type Flow = HalfOpen | Connection | Settled;

export interface FlowsOptions {
  /** The limit `flows`. */
  readonly capacity: number;
  readonly seed: number;
  /** Microseconds from the client's first word of TLS to the decision; Infinity where nothing is waited for. */
  readonly handshakeTimeout: () => number;
  /** A connection that has not decided in that time. */
  readonly onHandshakeTimeout: (connection: Connection, now: number) => void;
  /** A connection is in the table no more. `wasDecided`: its record is written. */
  readonly onForgotten: (connection: Connection, wasDecided: boolean, now: number) => void;
}

export class Flows {
  /** Whoever has the same name later is another one. */
  readonly accepted: FlowNames;
  readonly #options: FlowsOptions;
  readonly #table: FlowTable<Flow>;
  /** For flows that are not the one whose packet is being answered. */
  readonly #key: FlowKey;
  /** By age: before the ClientHello, during the handshake, and after the decision. */
  readonly #opening = new AgeList<HalfOpen | Connection>();
  readonly #inspecting = new AgeList<Connection>();
  readonly #decided = new AgeList<Connection>();
  #settled = 0;
  #nextExpiry = 0;
  #nextSweep = 0;
  #nextLongSweep = 0;

  constructor(options: FlowsOptions) {
    this.#options = options;
    this.#table = new FlowTable(options.capacity);
    this.#key = new Key(options.seed);
    this.accepted = new FlowNames(new Key(options.seed));
  }

  get count(): number {
    return this.#table.count;
  }

  /** Every connection that is more than its SYN and not settled. */
  *connections(): Iterable<Connection> {
    for (const flow of this.#opening) if (flow.kind === 'connection') yield flow;
    yield* this.#inspecting;
    yield* this.#decided;
  }

  /** Whoever has memory, by what is to be given up first for want of it; of each kind who has most. */
  byMemory(): Connection[] {
    const all = Array.from(this.connections(), (connection) => ({ connection, memory: connection.memory }));
    const costly = all.filter(({ memory }) => memory > 0).map((each) => ({ ...each, worth: worthOf(each.connection) }));
    costly.sort((a, b) => a.worth - b.worth || b.memory - a.memory);
    return costly.map(({ connection }) => connection);
  }

  isDecided(connection: Connection): boolean {
    return this.#decided.has(connection);
  }

  find(key: FlowKey): Flow | undefined {
    return this.#table.find(key);
  }

  /** Adds it, or puts it in the place of what has its key. There has to be room. */
  begin(flow: HalfOpen | Connection): void {
    this.accepted.delete(flow.key);
    const key = this.#key.restore(flow.key);
    const before = this.#table.find(key);
    if (before?.kind === 'settled') this.#settled--;
    else if (before !== undefined) this.#opening.delete(before);
    this.#table.set(key, flow);
    this.#opening.add(flow);
  }

  /** First goes what is over, which nobody misses. `made`: somebody had to go; `full`: of what may not go. */
  makeRoom(now: number): 'room' | 'made' | 'full' {
    if (this.#table.full && now >= this.#nextSweep) {
      this.#nextSweep = now + SECOND / 10;
      if (this.#settled > 0) this.#sweep(now, OVER_AT_LEAST, OVER_AT_LEAST, secondsOf(now));
      this.#forgetIf((flow) => isOver(flow) && isIdle(flow, now, OVER_AT_LEAST), now);
    }
    if (!this.#table.full) return 'room';
    const oldest = this.#opening.oldest ?? this.#decided.oldest;
    if (oldest !== undefined) this.forget(oldest, now);
    return this.#table.full ? 'full' : 'made';
  }

  /** The client speaks TLS, or the connection is otherwise more than open. */
  onBegun(connection: Connection, now: number): void {
    if (!this.#opening.delete(connection)) return;
    connection.begunAt = now;
    if (!this.#decided.has(connection)) this.#inspecting.add(connection);
  }

  onDecided(connection: Connection): void {
    this.#opening.delete(connection);
    this.#inspecting.delete(connection);
    if (connection.phase !== 'denied') this.#decided.add(connection);
  }

  onSettled(connection: Connection, settled: Settled): void {
    const key = this.#key.restore(connection.key);
    this.#opening.delete(connection);
    this.#inspecting.delete(connection);
    this.#decided.delete(connection);
    if (this.#table.find(key) !== connection) return;
    settled.successor = connection.successor;
    this.#table.set(key, settled);
    this.#settled++;
  }

  forget(flow: HalfOpen | Connection, now: number): void {
    this.#opening.delete(flow);
    this.#table.delete(this.#key.restore(flow.key));
    if (flow.kind === 'half-open') return;
    this.#inspecting.delete(flow);
    const wasDecided = this.#decided.delete(flow);
    this.#options.onForgotten(flow, wasDecided, now);
  }

  /** Flows that are more than their SYN was, and not settled. */
  get unsettled(): number {
    return this.#opening.size + this.#inspecting.size + this.#decided.size;
  }

  /** Every flow that is settled. */
  keep(now: number): KeptSettled[] {
    const kept: KeptSettled[] = [];
    for (const [key, flow] of this.#table.entries()) if (flow.kind === 'settled') kept.push(flow.kept(key, now));
    return kept;
  }

  /** As many as there is room for: those whose mark waits, and of which packets came last. */
  restore(kept: readonly KeptSettled[], now: number): void {
    const room = this.#options.capacity - this.#table.count;
    const latest = kept.toSorted((a, b) => a.idle - b.idle).slice(0, room);
    // Of the accepted ones, too, the last that are added stay longest.
    for (const each of latest.reverse()) {
      const key = this.#key.restore(each.key);
      if (this.#table.full || this.#table.find(key) !== undefined) continue;
      const settled = Settled.restore(each, now);
      if (settled.isAccepted) this.accepted.add(each.key);
      this.#table.set(key, settled);
      this.#settled++;
    }
  }

  /** A flow that is not settled goes as if by itself. */
  forgetAll(now: number): void {
    for (const flow of [...this.#opening, ...this.#inspecting, ...this.#decided]) this.forget(flow, now);
  }

  /** Gives up what is over; walks over flows, so not more often than once a second, and over the many that are settled more seldom. */
  expire(now: number): void {
    if (now < this.#nextExpiry) return;
    this.#nextExpiry = now + SECOND;
    const timeout = this.#options.handshakeTimeout();
    if (timeout !== Infinity) {
      this.#inspecting.forEach((connection) => {
        const isLate = now - connection.begunAt >= timeout + connection.patience;
        if (isLate) this.#options.onHandshakeTimeout(connection, now);
      });
    }
    this.#forgetIf((flow) => isStale(flow, now), now);
    if (this.#settled === 0 || now < this.#nextLongSweep) return;
    this.#nextLongSweep = now + 5 * SECOND;
    this.#sweep(now, DECIDED_TIMEOUT, DENIED_TIMEOUT);
  }

  /** Of those that are not settled. */
  #forgetIf(mayGo: (flow: HalfOpen | Connection) => boolean, now: number): void {
    for (const flows of [this.#opening, this.#inspecting, this.#decided]) {
      flows.forEach((flow) => {
        if (mayGo(flow)) this.forget(flow, now);
      });
    }
  }

  /** `restingPast`: those whose mark waits go too, which are ahead of that time. */
  #sweep(now: number, acceptedFor: number, deniedFor: number, restingPast = Infinity): void {
    const [accepted, denied] = [secondsOf(now - acceptedFor), secondsOf(now - deniedFor)];
    this.#table.sweep((flow) => {
      if (flow.kind !== 'settled') return false;
      const limit = flow.isAccepted ? accepted : denied;
      const mayEnd = flow.lastSeconds <= limit || flow.lastSeconds > restingPast;
      const mayGo = mayEnd && !hasSuccessorSince(flow, limit);
      if (mayGo) this.#settled--;
      return mayGo;
    });
  }
}

/** Nothing more comes of it but what was sent before. */
function isOver(flow: HalfOpen | Connection): boolean {
  if (flow.kind === 'half-open') return flow.isReset;
  return flow.isClosed || flow.phase === 'accepted' || flow.phase === 'denied';
}

/** Who is over is worth least of the memory, then who has not said whom it wants. */
function worthOf(connection: Connection): number {
  if (isOver(connection)) return 0;
  return connection.isOpen && connection.judge.sawClientHello ? 2 : 1;
}

function isStale(flow: HalfOpen | Connection, now: number): boolean {
  if (isOver(flow)) return isIdle(flow, now, DECIDED_TIMEOUT);
  if (!flow.isOpen) return isIdle(flow, now, OPENING_TIMEOUT);
  const mayRest = flow.kind === 'connection' && flow.mayRest;
  return isIdle(flow, now, mayRest ? REST_TIMEOUT : IDLE_TIMEOUT);
}

/** No packet of it came for so long, nor a SYN of another connection of the same endpoints, which would be lost with it. */
function isIdle(flow: HalfOpen | Connection, now: number, limit: number): boolean {
  if (flow.kind === 'connection' && now - flow.lastSeen < limit) return false;
  const last = secondsOf(now - limit);
  return !(flow.kind === 'half-open' && flow.lastSeconds > last) && !hasSuccessorSince(flow, last);
}

/** Until the server answers its SYN what is known of it is with what was there before. */
function hasSuccessorSince({ successor }: Flow, seconds: number): boolean {
  return successor !== undefined && successor.lastSeconds > seconds;
}

const SECOND = 1e6;
/** Long enough for packets that were queued before the mark was written. */
const DECIDED_TIMEOUT = 30 * SECOND;
/** A mark that goes with a packet which is dropped may never be written; TCP sends again every two minutes at the least. */
const DENIED_TIMEOUT = 130 * SECOND;
/** The least that a flow stays which is settled or over, though its room be needed. */
const OVER_AT_LEAST = 2 * SECOND;
/** From the last SYN: a client repeats it at the longest after two minutes, and goes on expecting an answer meanwhile. */
const OPENING_TIMEOUT = 130 * SECOND;
/** A client may connect ahead of need; longer than that, its next packet is answered with a reset. */
const IDLE_TIMEOUT = 300 * SECOND;
/** One that is accepted but for its mark, which waits for the client to say something. */
const REST_TIMEOUT = 7200 * SECOND;
