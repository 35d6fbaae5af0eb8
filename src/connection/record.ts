/** The record of one connection's decision: plain data out of ruling and facts. */
import type { Connection } from './connection.ts';
import type { VerdictEvent } from '../judge/events.ts';
import type { FlowSubject } from '../pins/match/snapshot.ts';
import type { Marks } from './marks.ts';
import type { Ruling } from '../judge/ruling.ts';

/** `ruling` is undefined for a connection that ended before anything was decided. `marks`: what was or will be written. */
export function verdictEvent(
  connection: Connection,
  ruling: Ruling | undefined,
  config: string,
  marks: Marks | undefined,
  time: number,
  tookMicros?: number,
): VerdictEvent {
  const { facts } = connection.judge;
  const way = connection.opening.selected?.way;
  const decided = ruling ?? connection.judge.unfinished;
  const isDenied = decided.action !== 'accept';
  const connmark = ruling === undefined ? undefined : marks?.[isDenied ? 'deny' : 'accept'](ruling.connmark);
  return {
    kind: 'verdict',
    time,
    flowId: connection.id,
    client: connection.subject.client,
    server: connection.subject.server,
    action: decided.action,
    reason: decided.reason,
    pinset: decided.pinset,
    mode: decided.mode,
    evidence: decided.evidence === 'none' ? facts.evidence : decided.evidence,
    proven: connection.judge.isProven,
    matched: decided.matched,
    connmark: connmark ?? null,
    heldMicros: connection.heldMicros,
    tookMicros,
    milestones: facts.milestones.since(connection.begunAt),
    inIfindex: way?.inIfindex,
    outIfindex: way?.outIfindex,
    config,
    allowedBy: decided.allowedBy,
    would: decided.would,
    others: decided.others,
    rules: decided.rules,
    fault: decided.fault ?? facts.fault,
    starttls: facts.starttls,
    fronted: facts.fronted,
    tls: facts.summary(),
    gaps: [...facts.gaps],
    frame: connection.frame,
  };
}

/**
 * Packets of connections that were open before the engine was, or that it has forgotten: both ends are told that theirs is
 * gone. `subject` is one of them, where there are several.
 */
export function strangerEvent(subject: FlowSubject, config: string, time: number, packets: number): VerdictEvent {
  return { ...bareEvent(subject, { ...UNDECIDED, action: 'reset', reason: 'midstream' }, config, time), packets };
}

/** A ruling about a connection of which nothing was read. */
export function bareEvent(subject: FlowSubject, ruling: Ruling, config: string, time: number): VerdictEvent {
  return {
    kind: 'verdict',
    time,
    flowId: 0,
    ...subject,
    ...ruling,
    heldMicros: 0,
    config,
    proven: false,
    starttls: null,
    fronted: null,
    tls: null,
    frame: 0,
  };
}

/** Nothing was decided before the end. */
const UNDECIDED: Ruling = {
  action: 'accept',
  reason: 'incomplete',
  pinset: null,
  mode: 'enforce',
  evidence: 'none',
  matched: null,
  connmark: null,
  would: null,
  others: [],
  rules: [],
  fault: null,
  allowedBy: null,
};
