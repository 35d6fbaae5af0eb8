/** The record of what was decided about a QUIC connection or a DTLS association: plain data out of ruling and facts. */
import type { FlowIdentity } from './flow.ts';
import type { Action, VerdictEvent } from '../judge/events.ts';
import type { Marks } from '../connection/marks.ts';
import type { Told } from './conversation.ts';

export interface DatagramRecord extends Told {
  readonly identity: FlowIdentity;
  readonly config: string;
  /** Undefined for captures. */
  readonly marks: Marks | undefined;
  /** Microseconds since the epoch. */
  readonly time: number;
}

export function datagramEvent(record: DatagramRecord): VerdictEvent {
  const { identity, kind, ruling, facts, marks } = record;
  const action = actionOf(ruling.action, kind);
  const connmark =
    !record.isDecided || action === 'drop'
      ? undefined
      : marks?.[action === 'accept' ? 'accept' : 'deny'](action === 'accept' ? ruling.connmark : null);
  return {
    kind: 'verdict',
    time: record.time,
    flowId: identity.id,
    ...identity.subject,
    datagrams: kind,
    action,
    reason: ruling.reason,
    pinset: ruling.pinset,
    mode: ruling.mode,
    evidence: ruling.evidence === 'none' && facts?.hasCertificates ? 'observed' : ruling.evidence,
    proven: record.proven,
    matched: ruling.matched,
    connmark: connmark ?? null,
    heldMicros: 0,
    milestones: facts?.milestones.since(Infinity),
    inIfindex: identity.way.inIfindex,
    outIfindex: identity.way.outIfindex,
    config: record.config,
    would: ruling.would === null ? null : actionOf(ruling.would, kind),
    others: ruling.others.map((other) => ({ ...other, would: actionOf(other.would, kind) })),
    rules: ruling.rules,
    fault: ruling.fault ?? facts?.fault ?? null,
    starttls: null,
    fronted: null,
    tls: facts?.summary(kind) ?? null,
    frame: identity.frame,
  };
}

/** There is no connection to reset and no alert that a client would trust: QUIC is refused, a datagram of DTLS dropped. */
function actionOf(action: Action, kind: 'quic' | 'dtls'): Action {
  if (action === 'accept' || action === 'drop') return action;
  return kind === 'quic' ? 'reject' : 'drop';
}
