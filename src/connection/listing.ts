/**
 * What operators are shown of the connections that are between their first octet and the mark that settles them: which
 * there are, where each stands, and what it has shown so far. Reads and changes nothing; answers are plain data.
 */
import type { FlowSubject } from '../pins/match/snapshot.ts';
import type { Connection } from './connection.ts';
import type { Phase } from './tracked.ts';
import type { Action, Reason, VerdictEvent } from '../judge/events.ts';
import type { Clock } from '../packet/source.ts';
import { verdictEvent } from './record.ts';
import type { Marks, MarkState } from './marks.ts';

export interface FlowQuestion {
  /** Flows with greater ids, in the order of their ids. */
  readonly after: number;
  /** As many at the most. */
  readonly limit: number;
  readonly filter: FlowFilter;
  /** Whether what was seen of each comes along, certificates and all. */
  readonly detailed: boolean;
}

/** What is not said fits everything. */
export interface FlowFilter {
  readonly id?: number | undefined;
  readonly phase?: Phase | undefined;
  /** The server name: itself, or with what follows `*.` at its end. */
  readonly name?: string | undefined;
  /** Of either end: 4 or 16 octets. */
  readonly address?: Uint8Array | undefined;
  /** Of either end. */
  readonly port?: number | undefined;
  readonly pinset?: string | undefined;
  /** Those alone of which packets wait. */
  readonly isHeld?: boolean | undefined;
}

export interface FlowPage {
  readonly flows: readonly FlowView[];
  /** Whether others follow. */
  readonly more: boolean;
}

export interface FlowView extends FlowSubject {
  readonly id: number;
  readonly phase: Phase;
  readonly name: string | null;
  /** The pinsets that the name and the address selected; null until the client has said the name. */
  readonly pinsets: readonly string[] | null;
  readonly action: Action | null;
  readonly reason: Reason | null;
  /** Of the connection's mark, as far as the engine has written it. */
  readonly mark: MarkState;
  /** Whether an answer from outside is awaited: a path, a probe, a logged secret. */
  readonly waits: boolean;
  readonly heldPackets: number;
  readonly bufferedBytes: number;
  /** Milliseconds since the client spoke first, and since the last packet. */
  readonly age: number;
  readonly idle: number;
  /** As the log would tell it now; undefined unless it was asked for. */
  readonly seen: VerdictEvent | undefined;
}

export interface ListedEngine {
  readonly connections: Iterable<Connection>;
  readonly marks: Marks;
  /** Hash of the configuration in force. */
  readonly config: string;
  readonly clock: Clock;
}

export function listFlows(engine: ListedEngine, { after, limit, filter, detailed }: FlowQuestion): FlowPage {
  const found: Connection[] = [];
  for (const connection of engine.connections) {
    if (connection.id > after && fits(connection, filter)) found.push(connection);
  }
  found.sort((a, b) => a.id - b.id);
  return {
    flows: found.slice(0, limit).map((connection) => viewOf(connection, engine, detailed)),
    more: found.length > limit,
  };
}

function viewOf(connection: Connection, engine: ListedEngine, detailed: boolean): FlowView {
  const { clock, marks, config } = engine;
  const now = clock.now();
  const { judge } = connection;
  const ruling = judge.ruling;
  const begun = Math.min(connection.begunAt, connection.lastSeen);
  return {
    id: connection.id,
    ...connection.subject,
    phase: connection.phase,
    name: judge.facts.serverName,
    pinsets: judge.selectedPinsets,
    action: ruling?.action ?? null,
    reason: ruling?.reason ?? null,
    mark: MARKS[connection.phase],
    waits: judge.waiting,
    heldPackets: connection.heldCount,
    bufferedBytes: connection.memory,
    age: millis(now - begun),
    idle: millis(now - connection.lastSeen),
    seen: detailed ? verdictEvent(connection, ruling, config, marks, clock.wallTime()) : undefined,
  };
}

function fits(connection: Connection, { id, phase, name, address, port, pinset, isHeld }: FlowFilter): boolean {
  const { client, server } = connection.subject;
  return (
    (id === undefined || connection.id === id) &&
    (phase === undefined || connection.phase === phase) &&
    (isHeld !== true || connection.heldCount > 0) &&
    (port === undefined || client.port === port || server.port === port) &&
    (address === undefined || isSame(address, client.address) || isSame(address, server.address)) &&
    (name === undefined || fitsName(connection.judge.facts.serverName, name)) &&
    (pinset === undefined || (connection.judge.selectedPinsets?.includes(pinset) ?? false))
  );
}

function fitsName(name: string | null, wanted: string): boolean {
  const said = name?.toLowerCase();
  return said === wanted || (wanted.startsWith('*.') && (said?.endsWith(wanted.slice(1)) ?? false));
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((octet, i) => octet === b[i]);
}

function millis(micros: number): number {
  return Math.max(0, Math.round(micros / 1000));
}

const MARKS: Readonly<Record<Phase, MarkState>> = {
  opening: 'pending',
  inspecting: 'pending',
  accepting: 'pending',
  accepted: 'accept',
  denying: 'pending',
  denied: 'deny',
};
