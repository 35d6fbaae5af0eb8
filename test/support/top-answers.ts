/** What a made-up engine answers to `tlspin top`, with what a test wants otherwise. */
import { timestamp } from '../../src/report/eve.ts';
import type { FlowAnswer, Round, StatsAnswer, VerdictAnswer } from '../../src/cli/top/round.ts';
import type { StatusAnswer } from '../../src/runtime/control/status.ts';
import { ProbeTimes } from '../../src/runtime/probing/probe-times.ts';

/** 12:00:05 UTC. */
export const NOON = Date.parse('2026-03-01T12:00:05.000Z');

export function statusAnswer(more: Partial<StatusAnswer> = {}): StatusAnswer {
  return {
    version: '1.2.3',
    pid: 4711,
    node: 'v22.0.0',
    uptime: 100,
    health: { state: 'protected', conditions: [] },
    configuration: {
      file: '/etc/tlspin.json',
      hash: `sha256:${'0123456789abcdef'.repeat(4)}`,
      generation: 2,
      since: '2026-03-01T11:50:05.000Z',
      age: 600,
      pinsets: 2,
      modes: { enforce: 2 },
      pins: 4,
      rules: 0,
      lists: [],
    },
    connmark: { route: 'verdict', mask: '0x6', accept: '0x4', deny: '0x2', pending: '0x1', told: '0x8' },
    fail_open: false,
    queue_bypass: false,
    queues: [queueStanding(0)],
    flows: 0,
    ...{ held: 0, buffered: 0, one_armed: 0 },
    limits: {},
    probes: null,
    probe_source: null,
    probe_times: new ProbeTimes().answer,
    log: { file: null, written: 0, dropped: 0, destinations: [], events_dropped: 0 },
    ...more,
  };
}

export function queueStanding(queue: number, more: Partial<StatusAnswer['queues'][number]> = {}) {
  const kernel = { waiting: 0, queue_dropped: 0, user_dropped: 0, id_sequence: 0 };
  return { queue, route: 'verdict', flows: 0, held: 0, buffered: 0, limits: {}, kernel, ...more };
}

/** Of each queue: packets received, accepted, dropped. */
export function statsAnswer(queues: readonly (readonly [number, number, number])[], more: Partial<StatsAnswer> = {}) {
  const total = (at: number) => queues.reduce((sum, counts) => sum + counts[at]!, 0);
  return {
    packets: { received: total(0), accepted: total(1), dropped: total(2) },
    verdicts: {},
    anomalies: 0,
    probes: null,
    memory: 100 * 2 ** 20,
    queues: queues.map(([received, accepted, dropped], queue) => ({ queue, received, accepted, dropped })),
    ...more,
  };
}

export function flowAnswer(flow: number, more: Partial<FlowAnswer> = {}): FlowAnswer {
  return {
    flow_id: flow,
    src_ip: '10.0.0.2',
    src_port: 40_000,
    dest_ip: '198.51.100.2',
    dest_port: 443,
    phase: 'inspecting',
    sni: 'www.bank.example',
    pinsets: ['bank'],
    action: null,
    reason: null,
    waits: false,
    held: 0,
    age_ms: 1_000,
    ...more,
  };
}

export function verdictAnswer(flow: number, more: Partial<VerdictAnswer> = {}): VerdictAnswer {
  return {
    flow_id: flow,
    timestamp: timestamp((NOON - 3_000) * 1000),
    src_ip: '10.0.0.2',
    src_port: 40_001,
    dest_ip: '198.51.100.2',
    dest_port: 443,
    verdict: { action: 'accept', reason: 'pin-match', pinset: 'bank' },
    tls: { sni: 'www.bank.example' },
    ...more,
  };
}

export function roundOf(more: Partial<Round> = {}): Round {
  return {
    time: NOON,
    at: 50_000,
    status: statusAnswer(),
    stats: statsAnswer([[0, 0, 0]]),
    flows: [],
    hasMoreFlows: false,
    verdicts: [],
    silent: [],
    ...more,
  };
}
