/** What a queue's thread and the daemon say to each other, for tests of either: one of each kind. */
import type { FlowEvent } from '../../src/judge/events.ts';
import type { ChainFacts, ExamineRequest, ProbeAnswer, ProbeRequest } from '../../src/judge/ports.ts';

export const EVENT: FlowEvent = {
  kind: 'anomaly',
  time: 0,
  flowId: 0,
  client: null,
  server: null,
  code: 'test',
  detail: '',
};
export const FACTS: ChainFacts = {
  onPath: [0],
  anchorsOnPath: [],
  nameMatches: true,
  exhausted: false,
  leafValidAt: true,
  trusted: false,
};
export const REQUEST: ExamineRequest = { chain: [], anchors: [], names: [], atMs: 0, trust: [] };

export const PROBE: ProbeRequest = {
  client: { address: new Uint8Array([10, 0, 0, 1]), port: 40_000 },
  server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
  clientHello: new Uint8Array(50),
  recordVersion: 0x0301,
  starttls: null,
};
export const ANSWER: ProbeAnswer = { kind: 'failed', reason: 'unreachable', detail: 'ECONNREFUSED', fromCache: false };
