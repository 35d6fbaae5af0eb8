/**
 * The engine's metrics: folds the events that come from the packet threads anyway, and how long probes took. Runs on
 * the main thread only, and is loaded only where metrics are configured.
 */
import type { FlowEvent, Reason, VerdictEvent } from '../../judge/events.ts';
import type { Policy } from '../../pins/policy.ts';
import type { Overview } from '../control/status.ts';
import { daysUntil, ShownCertificates } from './expiry.ts';
import type { ProbeOutcome } from './timed-prober.ts';
import { readings } from './readings.ts';
import { MetricsRegistry, type Sample } from './registry.ts';

export class Metrics {
  readonly #registry = new MetricsRegistry();
  readonly #shown = new ShownCertificates();

  take(events: readonly FlowEvent[]): void {
    for (const event of events) {
      if (event.kind === 'anomaly') this.#registry.count('tlspin_anomalies_total', { event: event.code });
      if (event.kind === 'verdict') this.#takeVerdict(event);
    }
  }

  takeProbe(outcome: ProbeOutcome, millis: number): void {
    this.#registry.observe('tlspin_probe_seconds', { outcome }, millis / 1000);
  }

  text(overview: Overview): Promise<string> {
    this.#declare(overview.configuration.policy);
    return this.#registry.text(this.#samples(overview));
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  #takeVerdict(event: VerdictEvent): void {
    const registry = this.#registry;
    const { action, reason, mode, evidence, pinset, would, allowedBy, tookMicros, heldMicros } = event;
    registry.count('tlspin_verdicts_total', { action, reason, mode, evidence });
    if (pinset !== null) registry.count('tlspin_pinset_verdicts_total', { pinset, action, reason });
    if (pinset !== null && would !== null) registry.count('tlspin_pinset_would_total', { pinset, would, reason });
    if (typeof allowedBy === 'string') registry.count('tlspin_allowed_total', { situation: allowedBy });
    if (tookMicros !== undefined) registry.observe('tlspin_decision_seconds', { action }, tookMicros / 1e6);
    if (heldMicros > 0) registry.observe('tlspin_hold_seconds', { action }, heldMicros / 1e6);
    this.#shown.take(event);
  }

  /** What alarms go by. */
  #declare({ pinsets }: Policy): void {
    for (const { name: pinset, mode, onMismatch, onDeny } of pinsets) {
      for (const reason of MISMATCHES) {
        const { action } = reason === 'deny-pin' ? onDeny : onMismatch;
        if (mode === 'enforce') this.#registry.declare('tlspin_pinset_verdicts_total', { pinset, action, reason });
        else this.#registry.declare('tlspin_pinset_would_total', { pinset, would: action, reason });
      }
    }
  }

  *#samples(overview: Overview): Iterable<Sample> {
    yield* readings(overview);
    for (const { pinset, host, ends } of this.#shown.all) {
      yield ['tlspin_certificate_expiry_days', { pinset, host }, daysUntil(ends)];
    }
  }
}

const MISMATCHES: readonly Reason[] = ['pin-mismatch', 'probe-mismatch', 'deny-pin'];
