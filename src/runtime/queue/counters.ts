/**
 * What each queue counts, in memory that its thread writes and the main thread reads at any time without asking. One
 * writer for each cell; a reader may see a packet counted in one column and not yet in another. One cell, behind the
 * columns, is the main thread's: how many log records it has taken, of which the queue's is not told otherwise.
 */
import type { Counters } from '../../engine/counters.ts';
import type { SourceStats } from '../../packet/source.ts';
import { LIMIT_DEFAULTS, type LimitName } from '../../pins/limits.ts';

export interface QueueCounts {
  /** Packets, as the engine counts them: received = accepted + dropped + held at the moment. */
  received: number;
  accepted: number;
  dropped: number;
  heldNow: number;
  /** Packets that ever waited. */
  held: number;
  rewritten: number;
  synOptionsRemoved: number;
  /** Packets of probes, in their clients' guise and as they were. */
  probesRewritten: number;
  probesPassed: number;
  midstream: number;
  /** Flows whose both ends are behind one interface. */
  oneArmed: number;
  refused: number;
  /** Connections in the table. */
  flows: number;
  /** Octets of memory that open connections use. */
  bufferedBytes: number;
  /** The kernel's losses and refusals. */
  queueDropped: number;
  userDropped: number;
  enobufs: number;
  verdictErrors: number;
  /** Packets that came out of the kernel, as of the last time that it was asked. */
  arrived: number;
  /** Log records that the main thread was too slow for. */
  eventsDropped: number;
  /** Grows while the thread's loop turns. */
  heartbeats: number;
  readonly limits: Record<LimitName, number>;
}

export class QueueCounters {
  readonly shared: SharedArrayBuffer;
  readonly #cells: Float64Array;
  /** The engine's, when they were last published. */
  #exceptions = 0;

  /** Without a buffer, one is made. */
  constructor(shared = new SharedArrayBuffer((EVENTS_TAKEN + 1) * Float64Array.BYTES_PER_ELEMENT)) {
    this.shared = shared;
    this.#cells = new Float64Array(shared);
  }

  /** After each batch: cheap. */
  publishEngine(engine: { counters: Counters; heldPackets: number; flows: number; bufferedBytes: number }): void {
    const cells = this.#cells;
    const { counters } = engine;
    cells[COLUMN.received] = counters.received;
    cells[COLUMN.accepted] = counters.accepted;
    cells[COLUMN.dropped] = counters.dropped;
    cells[COLUMN.heldNow] = engine.heldPackets;
    cells[COLUMN.held] = counters.held;
    cells[COLUMN.rewritten] = counters.rewritten;
    cells[COLUMN.synOptionsRemoved] = counters.synOptionsRemoved;
    cells[COLUMN.probesRewritten] = counters.probesRewritten;
    cells[COLUMN.probesPassed] = counters.probesPassed;
    cells[COLUMN.midstream] = counters.midstream;
    cells[COLUMN.oneArmed] = counters.oneArmed;
    cells[COLUMN.flows] = engine.flows;
    cells[COLUMN.bufferedBytes] = engine.bufferedBytes;
    if (counters.exceptions === this.#exceptions) return;
    this.#exceptions = counters.exceptions;
    let refused = 0;
    for (const count of counters.refused.values()) refused += count;
    cells[COLUMN.refused] = refused;
    for (let i = 0; i < LIMITS.length; i++) cells[COLUMNS.length + i] = counters.limits[LIMITS[i]!];
  }

  /** Now and then: the source asks the kernel. */
  publishSource({ received, queueDropped, userDropped, enobufs, verdictErrors }: SourceStats): void {
    const cells = this.#cells;
    cells[COLUMN.arrived] = received;
    cells[COLUMN.queueDropped] = queueDropped;
    cells[COLUMN.userDropped] = userDropped;
    cells[COLUMN.enobufs] = enobufs;
    cells[COLUMN.verdictErrors] = verdictErrors;
  }

  publishEventsDropped(count: number): void {
    this.#cells[COLUMN.eventsDropped] = count;
  }

  /** By the main thread. */
  takeEvents(count: number): void {
    this.#cells[EVENTS_TAKEN]! += count;
  }

  get eventsTaken(): number {
    return this.#cells[EVENTS_TAKEN]!;
  }

  beat(): void {
    this.#cells[COLUMN.heartbeats]!++;
  }

  read(): QueueCounts {
    const cell = (index: number): number => this.#cells[index] ?? 0;
    const counts = Object.fromEntries(COLUMNS.map((name, i) => [name, cell(i)]));
    const limits = Object.fromEntries(LIMITS.map((name, i) => [name, cell(COLUMNS.length + i)]));
    return { ...counts, limits } as unknown as QueueCounts;
  }
}

const COLUMNS = [
  'received',
  'accepted',
  'dropped',
  'heldNow',
  'held',
  'rewritten',
  'synOptionsRemoved',
  'probesRewritten',
  'probesPassed',
  'midstream',
  'oneArmed',
  'refused',
  'flows',
  'bufferedBytes',
  'queueDropped',
  'userDropped',
  'enobufs',
  'verdictErrors',
  'arrived',
  'eventsDropped',
  'heartbeats',
] as const satisfies readonly (keyof QueueCounts)[];

const COLUMN = Object.fromEntries(COLUMNS.map((name, i) => [name, i])) as Record<(typeof COLUMNS)[number], number>;
const LIMITS = Object.keys(LIMIT_DEFAULTS) as LimitName[];
const EVENTS_TAKEN = COLUMNS.length + LIMITS.length;
