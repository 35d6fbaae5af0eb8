/**
 * What is read when the metrics are asked for: counters of the packet threads, the prober and the log, and what is in
 * force. Reads what others have counted and asks no packet thread.
 */
import { LIMIT_DEFAULTS, type LimitName } from '../../pins/limits.ts';
import type { Policy } from '../../pins/policy.ts';
import type { ProbeCounts } from '../../probe/counts.ts';
import { readKernelQueues } from '../../source/kernel-queue.ts';
import type { Overview } from '../control/status.ts';
import { CONDITIONS } from '../protection/conditions.ts';
import type { ProtectionState } from '../protection/protection.ts';
import type { QueueCounts } from '../queue/counters.ts';
import type { QueueStatus } from '../queue/queues.ts';
import type { MetricName } from './catalogue.ts';
import { daysUntil, endOf } from './expiry.ts';
import type { Sample } from './registry.ts';

export function* readings(overview: Overview): Iterable<Sample> {
  const { version, configuration, daemon, log, protection, fleet } = overview;
  yield ['tlspin_build_info', { version, node: process.version }, 1];
  for (const state of STATES) yield ['tlspin_protection_state', { state }, state === protection.state ? 1 : 0];
  for (const { code, subject } of protection.conditions) {
    yield ['tlspin_condition', { code, severity: CONDITIONS[code].severity, subject }, 1];
  }
  const { queues, probes } = daemon.status();
  const { policy, generation } = configuration;
  yield ['tlspin_config_info', { config: policy.hash }, 1];
  yield ['tlspin_config_generation', {}, generation];
  yield ['tlspin_config_age_seconds', {}, configuration.inForce.age / 1000];
  yield* ofPolicy(policy);
  yield* ofQueues(queues);
  yield ['tlspin_log_written_total', {}, log.written];
  yield ['tlspin_log_lost_total', {}, log.dropped];
  if (fleet?.counts !== undefined) {
    const { shared, lost, waiting } = fleet.counts;
    yield ['tlspin_fleet_shared_total', {}, shared];
    yield ['tlspin_fleet_lost_total', {}, lost];
    yield ['tlspin_fleet_spool_bytes', {}, waiting];
  }
  if (probes === null) return;
  for (const [name, metric] of Object.entries(PROBE_COUNTS)) {
    yield [metric, {}, probes[name as keyof typeof PROBE_COUNTS]];
  }
  for (const [reason, count] of Object.entries(probes.failures)) {
    yield ['tlspin_probe_failures_total', { reason }, count];
  }
}

function* ofPolicy(policy: Policy): Iterable<Sample> {
  const { pinsets, lists, limits } = policy;
  for (const mode of MODES) {
    yield ['tlspin_pinsets', { mode }, pinsets.filter((pinset) => pinset.mode === mode).length];
  }
  yield ['tlspin_pins', {}, pinsets.reduce((sum, { pins, deny }) => sum + pins.length + deny.length, 0)];
  for (const { id, entries } of lists) yield ['tlspin_list_entries', { list: id }, entries.length];
  for (const { name: pinset, expires, pins } of pinsets) {
    if (expires !== null) yield ['tlspin_pinset_expiry_days', { pinset }, daysUntil(expires)];
    for (const { canonical: pin, expires: ends, der } of pins) {
      const until = Math.min(ends ?? Infinity, der === null ? Infinity : endOf(der));
      if (until !== Infinity) yield ['tlspin_pin_expiry_days', { pinset, pin }, daysUntil(until)];
    }
  }
  for (const limit of LIMITS) yield ['tlspin_limit', { limit }, limits[limit]];
}

function* ofQueues(queues: readonly QueueStatus[]): Iterable<Sample> {
  const kernel = readKernelQueues();
  for (const { queue: queueNum, counts } of queues) {
    const queue = `${queueNum}`;
    for (const [column, metric] of Object.entries(COLUMNS)) {
      yield [metric, { queue }, counts[column as keyof typeof COLUMNS]];
    }
    for (const limit of LIMITS) yield ['tlspin_limit_reached_total', { limit, queue }, counts.limits[limit]];
    const { waiting, sequence } = kernel?.get(queueNum) ?? {};
    if (waiting !== undefined) yield ['tlspin_queue_waiting', { queue }, waiting];
    if (sequence !== undefined) yield ['tlspin_queue_entered_total', { queue }, sequence];
  }
}

const COLUMNS = {
  arrived: 'tlspin_packets_arrived_total',
  received: 'tlspin_packets_received_total',
  accepted: 'tlspin_packets_accepted_total',
  dropped: 'tlspin_packets_dropped_total',
  heldNow: 'tlspin_packets_held',
  held: 'tlspin_packets_held_total',
  rewritten: 'tlspin_packets_rewritten_total',
  synOptionsRemoved: 'tlspin_packets_syn_options_removed_total',
  probesRewritten: 'tlspin_probe_packets_rewritten_total',
  probesPassed: 'tlspin_probe_packets_passed_total',
  midstream: 'tlspin_packets_midstream_total',
  refused: 'tlspin_packets_refused_total',
  flows: 'tlspin_flows',
  oneArmed: 'tlspin_flows_one_armed_total',
  bufferedBytes: 'tlspin_buffered_bytes',
  queueDropped: 'tlspin_queue_full_total',
  userDropped: 'tlspin_queue_unread_total',
  enobufs: 'tlspin_queue_overflows_total',
  verdictErrors: 'tlspin_queue_verdict_errors_total',
  heartbeats: 'tlspin_heartbeats_total',
  eventsDropped: 'tlspin_log_events_lost_total',
} as const satisfies Readonly<Record<Exclude<keyof QueueCounts, 'limits'>, MetricName>>;

const PROBE_COUNTS = {
  asked: 'tlspin_probes_asked_total',
  cached: 'tlspin_probes_cached_total',
  joined: 'tlspin_probes_joined_total',
  connections: 'tlspin_probe_connections_total',
  rechecks: 'tlspin_probe_rechecks_total',
  asClient: 'tlspin_probe_as_client_total',
  fallbacks: 'tlspin_probe_fallbacks_total',
  decoys: 'tlspin_probe_decoys_total',
  inconsistent: 'tlspin_probes_inconsistent_total',
} as const satisfies Readonly<Record<Exclude<keyof ProbeCounts, 'failed' | 'failures'>, MetricName>>;

const STATES: readonly ProtectionState[] = ['starting', 'protected', 'degraded', 'unprotected'];
const MODES: readonly Policy['pinsets'][number]['mode'][] = ['enforce', 'report-only', 'learn'];
const LIMITS = Object.keys(LIMIT_DEFAULTS) as LimitName[];
