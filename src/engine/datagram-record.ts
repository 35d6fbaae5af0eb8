/** The record of what was decided about a QUIC connection or a DTLS association: plain data out of ruling and facts. */
import { VERSION } from '../tls/constants.ts';
import type { FlowIdentity } from './datagram-flow.ts';
import type { Action, TlsSummary, VerdictEvent } from './events.ts';
import type { FlowFacts } from './facts.ts';
import { UNDECIDED } from './flow-record.ts';
import type { Marks } from './marks.ts';
import type { Ruling } from './ruling.ts';

export interface DatagramRecord {
  readonly identity: FlowIdentity;
  readonly kind: 'quic' | 'dtls';
  /** Undefined for a flow that ended before anything was decided. */
  readonly ruling: Ruling | undefined;
  readonly facts: FlowFacts | undefined;
  readonly proven: boolean;
  readonly config: string;
  /** Undefined for captures. */
  readonly marks: Marks | undefined;
  /** Microseconds since the epoch. */
  readonly time: number;
}

export function datagramEvent(record: DatagramRecord): VerdictEvent {
  const { identity, kind, facts, marks } = record;
  const ruling = record.ruling ?? UNDECIDED;
  const action = actionOf(ruling.action, kind);
  const connmark =
    record.ruling === undefined || action === 'drop'
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
    config: record.config,
    would: ruling.would === null ? null : actionOf(ruling.would, kind),
    others: ruling.others.map((other) => ({ ...other, would: actionOf(other.would, kind) })),
    fault: ruling.fault ?? facts?.fault ?? null,
    starttls: null,
    tls: summaryOf(facts, kind),
    frame: identity.frame,
  };
}

/** There is no connection to reset and no alert that a client would trust: QUIC is refused, a datagram of DTLS dropped. */
function actionOf(action: Action, kind: 'quic' | 'dtls'): Action {
  if (action === 'accept' || action === 'drop') return action;
  return kind === 'quic' ? 'reject' : 'drop';
}

/** What DTLS speaks was read as the TLS that it is made of; the log says what was on the wire. */
function summaryOf(facts: FlowFacts | undefined, kind: 'quic' | 'dtls'): TlsSummary | null {
  const summary = facts?.summary() ?? null;
  if (summary === null || kind === 'quic') return summary;
  const { clientHello } = summary;
  return {
    ...summary,
    version: facts!.isPrestandard ? VERSION.dtls10OpenSsl : (DTLS_VERSIONS.get(summary.version) ?? summary.version),
    clientHello: clientHello === null ? null : withVersion(clientHello),
  };
}

function withVersion(clientHello: Uint8Array): Uint8Array {
  const out = new Uint8Array(clientHello);
  const version = DTLS_VERSIONS.get((out[0]! << 8) | out[1]!);
  if (version === undefined) return out;
  out[0] = version >> 8;
  out[1] = version;
  return out;
}

const DTLS_VERSIONS: ReadonlyMap<number, number> = new Map([
  [VERSION.tls11, VERSION.dtls10],
  [VERSION.tls12, VERSION.dtls12],
]);
