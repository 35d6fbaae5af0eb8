/** What a real Prometheus makes of the engine's metrics: the names, the alerts, and what the dashboard asks. */
import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { METRICS } from '../../src/runtime/metrics/catalogue.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { ROOT } from '../support/built.ts';
import { Engine } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';
import { lacks, started } from '../support/programs.ts';

const ALERTS = `${ROOT}packaging/prometheus/alerts.yml`;
const METRICS_URL = 'http://127.0.0.1:9477/metrics';

describe.skipIf(lacks('prometheus', 'promtool'))('Prometheus', () => {
  it('takes the alerts and the metrics as they should be', async () => {
    await run();
    expect(lab.run('gateway', started('promtool'), 'check', 'rules', ALERTS)).toContain('SUCCESS');
    const linted = lab.shell(
      'gateway',
      `curl -s ${METRICS_URL} | grep -v 'nodejs\\|process' | promtool check metrics 2>&1 || true`,
    );
    // Days are what operators asked for.
    expect(linted.split('\n').filter((line) => line !== '' && !line.includes('instead of "days"'))).toEqual([]);
  });

  it('reads them, fires the alerts, and knows whatever the dashboard asks', async () => {
    const engine = await run();
    await startPrometheus();
    await expect.poll(() => value('up{job="tlspin"}')).toBe(1);
    await expect.poll(() => value('tlspin_condition{code="rules.none"}')).toBe(1);
    engine.applyRules();
    await startTlsServer(lab, 'server', { identity: genuine });
    await startTlsServer(lab, 'server', { identity: forged, port: 8443 });
    await request(443);
    for (let times = 0; times < 11; times++) await request(8443);
    await engine.logged(12);
    const denied = 'tlspin_pinset_verdicts_total{pinset="bank",reason="pin-mismatch",action="tls-alert"}';
    await expect.poll(() => value(denied)).toBe(11);
    expect(value(`tlspin_certificate_expiry_days{pinset="bank",host="${HOST}"}`)).toBeGreaterThan(0);
    expect(value('tlspin_decision_seconds_count{action="accept"}')).toBe(1);
    await expect
      .poll(firing)
      .toEqual(expect.arrayContaining(['TlspinMismatchBurst', 'TlspinMismatch', 'TlspinPinEndsIn7Days']));
    await expect.poll(firing).not.toContain('TlspinRulesNone');
    const known = ask('/api/v1/label/__name__/values').data as unknown as string[];
    const asleep = Object.entries(METRICS).filter(([name, { type }]) => type !== 'histogram' && !known.includes(name));
    // Of what has not happened here.
    expect(asleep.map(([name]) => name).sort()).toEqual([
      'tlspin_allowed_total',
      'tlspin_anomalies_total',
      'tlspin_list_entries',
      'tlspin_pinset_expiry_days',
      'tlspin_pinset_would_total',
    ]);
    for (const expression of dashboard()) expect(ask(query(expression)).status, expression).toBe('success');
  });
});

function run(): Promise<Engine> {
  const pins = [spkiPin(genuine.cert), { pin: OTHER, expires: new Date(Date.now() + 3 * DAY).toISOString() }];
  const pinset = { name: 'bank', match: { hosts: [HOST], ports: [443, 8443] }, pins };
  return Engine.start(lab, { config: { metrics: { listen: '127.0.0.1:9477' }, pinsets: [pinset] }, rules: null });
}

async function startPrometheus(): Promise<void> {
  const rules = lab.write('alerts.yml', readFileSync(ALERTS, 'utf8'));
  const configuration = lab.write(
    'prometheus.yml',
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'tlspin', static_configs: [{ targets: ['127.0.0.1:9477'] }] }],
    }),
  );
  const prometheus = lab.start('gateway', [
    started('prometheus'),
    `--config.file=${configuration}`,
    `--storage.tsdb.path=${lab.path('tsdb')}`,
    `--web.listen-address=127.0.0.1:9090`,
  ]);
  await prometheus.says(/Server is ready to receive web requests/, 30_000);
}

interface Answer {
  readonly status: string;
  readonly data: {
    readonly result: readonly { readonly value: readonly [number, string] }[];
    readonly alerts: readonly { readonly state: string; readonly labels: { readonly alertname: string } }[];
  };
}

function ask(path: string): Answer {
  return JSON.parse(lab.run('gateway', 'curl', '-s', `http://127.0.0.1:9090${path}`)) as Answer;
}

function value(expression: string): number | undefined {
  const [first] = ask(query(expression)).data.result;
  return first === undefined ? undefined : Number(first.value[1]);
}

function firing(): string[] {
  const { alerts } = ask('/api/v1/alerts').data;
  return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
}

function query(expression: string): string {
  return `/api/v1/query?query=${encodeURIComponent(expression)}`;
}

/** As Grafana fills them in. */
function dashboard(): string[] {
  const text = readFileSync(`${ROOT}packaging/grafana/tlspin.json`, 'utf8');
  return [...text.matchAll(/"expr": ("(?:[^"\\]|\\.)*")/g)].map(([, expression]) =>
    (JSON.parse(expression!) as string).replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
  );
}

async function request(port: number): Promise<void> {
  await requestWithNode(lab, 'client', { host: lab.address('server'), port, servername: HOST, ca: ca.cert });
}

const OTHER = `sha256//${'A'.repeat(43)}=`;
const DAY = 86_400_000;
