/** What becomes of events, counts and conditions in Prometheus' text. */
import { beforeEach, describe, expect, it } from 'vitest';

import type { Overview } from '../../../src/runtime/control/status.ts';
import { METRICS } from '../../../src/runtime/metrics/catalogue.ts';
import { Metrics } from '../../../src/runtime/metrics/metrics.ts';
import { timedProbers } from '../../../src/runtime/metrics/timed-prober.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';
import { QueueCounters } from '../../../src/runtime/queue/counters.ts';
import type { ProbeAnswer } from '../../../src/judge/ports.ts';
import { pin, pinset, policy } from '../../support/policy.ts';
import { mint } from '../../support/mint.ts';
import { ANSWER, PROBE } from '../../support/queue-messages.ts';
import { tlsSummary, verdictEvent } from '../../support/verdict-event.ts';

let metrics: Metrics;
let protection: Protection;
const queue = new QueueCounters();
const DAY = 86_400_000;

beforeEach(() => {
  metrics = new Metrics();
  protection = new Protection({ log: { write: () => {} }, say: () => {} });
});

describe('decisions', () => {
  it('are counted by what they are, and by their pinset', async () => {
    const denied = verdictEvent({ action: 'tls-alert', reason: 'pin-mismatch', tookMicros: 30_000, heldMicros: 2_000 });
    metrics.take([denied, denied, verdictEvent({ tookMicros: 900 }), verdictEvent({ allowedBy: 'ech', pinset: null })]);
    const text = await scrape();
    expect(text).toContain(
      'tlspin_verdicts_total{action="tls-alert",reason="pin-mismatch",mode="enforce",evidence="observed"} 2\n',
    );
    expect(text).toContain('tlspin_pinset_verdicts_total{pinset="bank",action="tls-alert",reason="pin-mismatch"} 2\n');
    expect(text).toContain('tlspin_allowed_total{situation="ech"} 1\n');
    expect(text).toContain('tlspin_decision_seconds_bucket{le="0.05",action="tls-alert"} 2\n');
    expect(text).toContain('tlspin_decision_seconds_bucket{le="0.025",action="tls-alert"} 0\n');
    expect(text).toContain('tlspin_decision_seconds_count{action="accept"} 1\n');
    expect(text).toContain('tlspin_hold_seconds_sum{action="tls-alert"} 0.004\n');
  });

  it('that alarms go by are there before the first of them', async () => {
    const { name } = BANK;
    expect(await scrape()).toContain(
      `tlspin_pinset_verdicts_total{pinset="${name}",action="tls-alert",reason="pin-mismatch"} 0\n`,
    );
    expect(await scrape({ ...BANK, mode: 'report-only' })).toContain(
      `tlspin_pinset_would_total{pinset="${name}",would="tls-alert",reason="pin-mismatch"} 0\n`,
    );
  });

  it('of more names than anybody tells apart are counted as such', async () => {
    const many = Array.from({ length: 10_050 }, (_, i) => verdictEvent({ pinset: `p${i}` }));
    metrics.take(many);
    expect(await scrape()).toMatch(/^tlspin_metrics_unnamed_total (5[0-9]|6[0-9])$/m);
  });

  it('say when the certificate ends that the server has shown last', async () => {
    const leaf = mint({ subject: 'www' });
    metrics.take([verdictEvent({ tls: tlsSummary({ certificates: [leaf.der] }) })]);
    metrics.take([verdictEvent({ action: 'tls-alert', tls: tlsSummary({ sni: 'x', certificates: [leaf.der] }) })]);
    const found = [...(await scrape()).matchAll(/^tlspin_certificate_expiry_days\{(.*)\} (.*)$/gm)];
    expect(found.map(([, labels]) => labels)).toEqual([`pinset="bank",host="${tlsSummary().sni}"`]);
    expect(Number(found[0]![2])).toBeCloseTo((Date.UTC(2040, 0, 1) - Date.now()) / DAY, 1);
  });
});

describe('what holds', () => {
  it('is told by its code, and no longer than it does', async () => {
    protection.begin('rules.none', '', 'none');
    const text = await scrape();
    expect(text).toContain('tlspin_condition{code="rules.none",severity="unprotected",subject=""} 1\n');
    expect(text).toContain('tlspin_protection_state{state="unprotected"} 1\n');
    protection.end('rules.none', '');
    expect(await scrape()).not.toContain('tlspin_condition{');
    expect(await scrape()).toContain('tlspin_protection_state{state="starting"} 1\n');
    protection.know();
    expect(await scrape()).toContain('tlspin_protection_state{state="protected"} 1\n');
  });

  it('of dates is how many days there are to them', async () => {
    const pins = [pin('spki-sha256', 'aa', { expires: Date.now() + 3 * DAY }), pin('spki-sha256', 'bb')];
    const text = await scrape({ ...BANK, pins, expires: Date.now() - DAY });
    expect(valueOf(text, 'tlspin_pin_expiry_days{pinset="bank",pin="spki-sha256:aa"}')).toBeCloseTo(3, 3);
    expect(valueOf(text, 'tlspin_pinset_expiry_days{pinset="bank"}')).toBeCloseTo(-1, 3);
    expect(text).not.toContain('spki-sha256:bb');
  });
});

it('counts of the packet threads are as they are, however often they are asked for', async () => {
  const counters = { received: 7, accepted: 5, dropped: 2, refused: new Map([['x', 1]]), limits: { flows: 3 } };
  queue.publishEngine({ counters: counters as never, heldPackets: 1, flows: 4, bufferedBytes: 9 });
  for (let times = 0; times < 2; times++) {
    const text = await scrape();
    expect(text).toContain('tlspin_packets_received_total{queue="3"} 7\n');
    expect(text).toContain('tlspin_packets_refused_total{queue="3"} 1\n');
    expect(text).toContain('tlspin_packets_held{queue="3"} 1\n');
    expect(text).toContain('tlspin_limit_reached_total{limit="flows",queue="3"} 3\n');
    expect(text).toContain('tlspin_probe_failures_total{reason="timeout"} 2\n');
    expect(text).toContain('tlspin_probe_as_client_total 6\n');
    expect(text).toContain('tlspin_probe_fallbacks_total 2\n');
  }
});

it('every name of the catalogue is there, with its help', async () => {
  const text = await scrape();
  for (const [name, { type, help }] of Object.entries(METRICS)) {
    expect(text).toContain(`# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`);
  }
});

it('probes are timed where they were not answered from memory', async () => {
  let answer: ((answer: ProbeAnswer) => void) | undefined;
  const create = timedProbers(
    () => ({
      ...{ probe: (_, done) => void (answer = done), configure: () => {}, onSpokenFor: () => {}, close: () => {} },
      accompany: (_, go) => go(),
    }),
    (outcome, millis) => metrics.takeProbe(outcome, millis),
  );
  const prober = create(policy(), () => {});
  const heard: ProbeAnswer[] = [];
  for (const fromCache of [false, true]) {
    prober.probe(PROBE, (told) => heard.push(told));
    answer!({ ...ANSWER, fromCache });
  }
  expect(heard).toHaveLength(2);
  expect(await scrape()).toContain('tlspin_probe_seconds_count{outcome="unreachable"} 1\n');
});

const BANK = pinset(0, { name: 'bank', pins: [pin('spki-sha256', 'aa')] });

function scrape(...pinsets: (typeof BANK)[]): Promise<string> {
  const inForce = policy({ hash: 'sha256:00', pinsets: pinsets.length === 0 ? [BANK] : pinsets });
  return metrics.text({
    version: '1.2.3',
    configuration: { policy: inForce, generation: 2, inForce: { since: new Date(), age: 1_000 } },
    daemon: { status: () => ({ queues: [{ queue: 3, route: 'verdict', counts: queue.read() }], probes: PROBES }) },
    log: { written: 10, dropped: 1 },
    protection,
  } as unknown as Overview);
}

const PROBES = {
  asked: 9,
  cached: 1,
  joined: 1,
  connections: 7,
  rechecks: 0,
  asClient: 6,
  fallbacks: 2,
  inconsistent: 0,
  failed: 2,
  failures: { timeout: 2 },
};

function valueOf(text: string, series: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${series} `));
  return Number(line?.slice(series.length));
}
