/** What a queue's thread and the daemon say to each other, for tests of either: one of each kind. */
import type { AnomalyEvent } from '../../src/judge/events.ts';
import type { ExamineRequest, ProbeAnswer, ProbeRequest, Questioner } from '../../src/judge/ports.ts';
import type { DatedFacts } from '../../src/x509/examine.ts';
import { chainFacts } from './chain-facts.ts';

export const EVENT: AnomalyEvent = {
  kind: 'anomaly',
  time: 0,
  flowId: 0,
  client: null,
  server: null,
  code: 'learn.full',
  detail: '',
};
export const FACTS = chainFacts();
export const DATED: DatedFacts = { facts: FACTS, from: -Infinity, until: Infinity };
export const REQUEST: ExamineRequest = { chain: [], anchors: [], names: [], atMs: 0, trust: [] };

export const PROBE: ProbeRequest = {
  client: { address: new Uint8Array([10, 0, 0, 1]), port: 40_000 },
  server: { address: new Uint8Array([198, 51, 100, 7]), port: 443 },
  clientHello: new Uint8Array(50),
  recordVersion: 0x0301,
  starttls: null,
  tunnels: [],
  patience: 0,
};
export const ANSWER: ProbeAnswer = { kind: 'failed', reason: 'unreachable', detail: 'ECONNREFUSED', fromCache: false };

/** Of a flow that nobody takes back. */
export const BY: Questioner = { client: PROBE.client, server: PROBE.server, signal: new AbortController().signal };
