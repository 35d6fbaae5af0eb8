/** How often probes were asked for, and what became of them. */
import type { ProbeFailure } from '../judge/ports.ts';

/** All counted from the start. */
export interface ProbeCounts {
  asked: number;
  /** Answered from memory. */
  cached: number;
  /** Answered by a probe that was under way. */
  joined: number;
  /** Connections begun. */
  connections: number;
  /** Further ones that checked an answer from memory, among `connections`. */
  rechecks: number;
  /** Those that were begun with the client's address, among `connections`. */
  asClient: number;
  /** Further ones, with this host's own address, because such a one was not heard. */
  fallbacks: number;
  /** Those that were begun beside a client's connection, among `connections`. */
  decoys: number;
  inconsistent: number;
  /** Probes without certificates, and questions that led to none; each once, however many waited or heard of it later. */
  failed: number;
  /** The same by their reasons. */
  readonly failures: Record<ProbeFailure, number>;
}

export function noCounts(): ProbeCounts {
  return {
    asked: 0,
    cached: 0,
    joined: 0,
    connections: 0,
    rechecks: 0,
    asClient: 0,
    fallbacks: 0,
    decoys: 0,
    inconsistent: 0,
    failed: 0,
    failures: { ...NO_FAILURES },
  };
}

const NO_FAILURES: Readonly<Record<ProbeFailure, number>> = {
  unreachable: 0,
  closed: 0,
  timeout: 0,
  alert: 0,
  protocol: 0,
  unsupported: 0,
  'no-certificate': 0,
  limited: 0,
  forbidden: 0,
  'not-marked': 0,
  stopped: 0,
};
