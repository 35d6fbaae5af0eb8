/**
 * The metrics by name: what kind each is, what it counts, and by which labels. What operators' rules and dashboards go by,
 * so a name that is published stays. docs/metrics.md has the same table for people. Knows no way of counting.
 */

export interface MetricKind {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  /** A sentence. */
  readonly help: string;
}

export const METRICS = {
  tlspin_build_info: {
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; the labels say what runs.',
  },
  tlspin_protection_state: {
    type: 'gauge',
    labels: ['state'],
    help: '1 for the state that tlspin health tells (protected, degraded or unprotected; starting while that is not known yet), 0 for the others.',
  },
  tlspin_condition: {
    type: 'gauge',
    labels: ['code', 'severity', 'subject'],
    help: '1 while the condition holds; absent otherwise.',
  },
  tlspin_config_info: {
    type: 'gauge',
    labels: ['config'],
    help: 'Always 1; the label is the hash of the configuration in force.',
  },
  tlspin_config_generation: {
    type: 'gauge',
    labels: [],
    help: 'How many configurations have been in force since the start.',
  },
  tlspin_config_age_seconds: {
    type: 'gauge',
    labels: [],
    help: 'For how long the configuration has been in force.',
  },
  tlspin_pinsets: { type: 'gauge', labels: ['mode'], help: 'Pinsets by their mode.' },
  tlspin_pins: { type: 'gauge', labels: [], help: 'Pins of all pinsets, those that deny included.' },
  tlspin_list_entries: { type: 'gauge', labels: ['list'], help: 'Entries of a list.' },
  tlspin_pin_expiry_days: {
    type: 'gauge',
    labels: ['pinset', 'pin'],
    help: 'Days until a pin ends: by its own date, or that of the certificate that it is; negative when it has.',
  },
  tlspin_pinset_expiry_days: {
    type: 'gauge',
    labels: ['pinset'],
    help: 'Days until a pinset is past its own date; negative when it is.',
  },
  tlspin_certificate_expiry_days: {
    type: 'gauge',
    labels: ['pinset', 'host'],
    help: 'Days until the certificate ends that a pinned server has shown last; negative when it has.',
  },
  tlspin_verdicts_total: {
    type: 'counter',
    labels: ['action', 'reason', 'mode', 'evidence'],
    help: 'Decisions about flows, as they are logged.',
  },
  tlspin_pinset_verdicts_total: {
    type: 'counter',
    labels: ['pinset', 'action', 'reason'],
    help: 'The same by pinset, where one decided.',
  },
  tlspin_pinset_would_total: {
    type: 'counter',
    labels: ['pinset', 'would', 'reason'],
    help: 'What pinsets that only report or learn had done.',
  },
  tlspin_allowed_total: {
    type: 'counter',
    labels: ['situation'],
    help: 'Flows of pinned hosts that a setting has accepted, where no evidence did.',
  },
  tlspin_anomalies_total: {
    type: 'counter',
    labels: ['event'],
    help: 'Anomalies that flows and servers have shown.',
  },
  tlspin_decision_seconds: {
    type: 'histogram',
    labels: ['action'],
    help: 'From the client’s first octets of TLS to the decision.',
  },
  tlspin_hold_seconds: {
    type: 'histogram',
    labels: ['action'],
    help: 'For how long packets of a decided flow have waited; of flows that had to wait only.',
  },
  tlspin_probe_seconds: {
    type: 'histogram',
    labels: ['outcome'],
    help: 'From a question to its answer, where the server was asked for it: certificates, or the reason of the failure.',
  },
  tlspin_probes_asked_total: { type: 'counter', labels: [], help: 'Questions for a server’s certificates.' },
  tlspin_probes_cached_total: { type: 'counter', labels: [], help: 'Those that were answered from memory.' },
  tlspin_probes_joined_total: {
    type: 'counter',
    labels: [],
    help: 'Those that were answered by a probe that was under way.',
  },
  tlspin_probe_connections_total: { type: 'counter', labels: [], help: 'Connections to servers that were begun.' },
  tlspin_probe_rechecks_total: {
    type: 'counter',
    labels: [],
    help: 'Those that checked an answer from memory.',
  },
  tlspin_probe_as_client_total: {
    type: 'counter',
    labels: [],
    help: 'Those that were begun with the address of the client.',
  },
  tlspin_probe_fallbacks_total: {
    type: 'counter',
    labels: [],
    help: 'Further ones, with this host’s own address, because such a one was not answered.',
  },
  tlspin_probe_decoys_total: {
    type: 'counter',
    labels: [],
    help: 'Those that were begun beside a client’s connection.',
  },
  tlspin_probes_inconsistent_total: {
    type: 'counter',
    labels: [],
    help: 'Answers with another chain than the same question had before.',
  },
  tlspin_probe_failures_total: { type: 'counter', labels: ['reason'], help: 'Probes that had no answer.' },
  tlspin_packets_arrived_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that came out of the kernel, as of the last second.',
  },
  tlspin_packets_received_total: { type: 'counter', labels: ['queue'], help: 'Packets that the engine has read.' },
  tlspin_packets_accepted_total: { type: 'counter', labels: ['queue'], help: 'Packets that it let go on.' },
  tlspin_packets_dropped_total: { type: 'counter', labels: ['queue'], help: 'Packets that it dropped.' },
  tlspin_packets_held: { type: 'gauge', labels: ['queue'], help: 'Packets that wait for a decision now.' },
  tlspin_packets_held_total: { type: 'counter', labels: ['queue'], help: 'Packets that ever waited.' },
  tlspin_packets_rewritten_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that went on with another content: alerts, resets, SYNs without some of their options.',
  },
  tlspin_packets_syn_options_removed_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'SYNs and SYN/ACKs that lost options, such as those of Multipath TCP.',
  },
  tlspin_probe_packets_rewritten_total: {
    type: 'counter',
    labels: ['queue'],
    help: "Packets of probes with their clients' addresses that went on as those of their clients' systems.",
  },
  tlspin_probe_packets_passed_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Such packets that could not, and went on as they were.',
  },
  tlspin_packets_midstream_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets of connections that nobody knows.',
  },
  tlspin_packets_refused_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that no receiver should take, such as those with a wrong checksum.',
  },
  tlspin_flows: { type: 'gauge', labels: ['queue'], help: 'Connections that are tracked now.' },
  tlspin_flows_one_armed_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Flows whose both ends are behind one interface.',
  },
  tlspin_buffered_bytes: { type: 'gauge', labels: ['queue'], help: 'Octets of memory that open connections use.' },
  tlspin_limit: {
    type: 'gauge',
    labels: ['limit'],
    help: 'The limits in force, in the units of the configuration.',
  },
  tlspin_limit_reached_total: {
    type: 'counter',
    labels: ['limit', 'queue'],
    help: 'How often each limit was reached.',
  },
  tlspin_queue_waiting: { type: 'gauge', labels: ['queue'], help: 'Packets in the kernel’s queue now.' },
  tlspin_queue_entered_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that ever were in the kernel’s queue.',
  },
  tlspin_queue_full_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that were lost because the queue was full.',
  },
  tlspin_queue_unread_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Packets that were lost because the queue’s receive buffer was full.',
  },
  tlspin_queue_overflows_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'How often the receive buffer has overflowed (ENOBUFS).',
  },
  tlspin_queue_verdict_errors_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Verdicts that the kernel has refused.',
  },
  tlspin_heartbeats_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Grows while the queue’s thread is alive.',
  },
  tlspin_log_written_total: { type: 'counter', labels: [], help: 'Records of the log that were written.' },
  tlspin_log_lost_total: {
    type: 'counter',
    labels: [],
    help: 'Records of the log that were lost, because its reader was too slow or its disk full.',
  },
  tlspin_log_events_lost_total: {
    type: 'counter',
    labels: ['queue'],
    help: 'Records that were never made, because there were too many.',
  },
  tlspin_fleet_shared_total: {
    type: 'counter',
    labels: [],
    help: 'Decisions that the fleet has been told of.',
  },
  tlspin_fleet_lost_total: {
    type: 'counter',
    labels: [],
    help: 'Decisions that the fleet was to be told of and never is, because too many waited.',
  },
  tlspin_fleet_spool_bytes: {
    type: 'gauge',
    labels: [],
    help: 'Octets of the disk that decisions take while they wait for a server of the fleet.',
  },
  tlspin_metrics_unnamed_total: {
    type: 'counter',
    labels: [],
    help: 'Counts that are missing above, because there were too many names to tell them apart.',
  },
} as const satisfies Readonly<Record<string, MetricKind>>;

export type MetricName = keyof typeof METRICS;

/** Seconds. */
export const BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];
