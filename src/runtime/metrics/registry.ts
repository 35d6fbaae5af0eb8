/**
 * The catalogue's metrics as prom-client has them. A counter is counted here, or is somebody else's count that is read
 * when all are asked for. Loaded only where metrics are configured. Knows no flows.
 */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';

import { BUCKETS, type MetricName, METRICS } from './catalogue.ts';

export type Labels = Readonly<Record<string, string>>;

/** What is read when all are asked for: name, labels, value. */
export type Sample = readonly [name: MetricName, labels: Labels, value: number];

export class MetricsRegistry {
  readonly #registry = new Registry();
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #histograms = new Map<MetricName, Histogram>();
  readonly #seen = new Set<string>();

  constructor() {
    const registers = [this.#registry];
    for (const name of Object.keys(METRICS) as MetricName[]) {
      const { type, help, labels } = METRICS[name];
      const options = { name, help, labelNames: [...labels], registers };
      if (type === 'counter') this.#counters.set(name, new Counter(options));
      else if (type === 'gauge') this.#gauges.set(name, new Gauge(options));
      else this.#histograms.set(name, new Histogram({ ...options, buckets: [...BUCKETS] }));
    }
    collectDefaultMetrics({ register: this.#registry });
  }

  /** Names that come with what peers or files say are told apart up to a bound; what is beyond it is counted as such. */
  count(name: MetricName, labels: Labels): void {
    const key = keyOf(name, labels);
    if (!this.#seen.has(key)) {
      if (this.#seen.size >= SERIES) return this.#counters.get('tlspin_metrics_unnamed_total')!.inc();
      this.#seen.add(key);
    }
    this.#counters.get(name)!.inc(labels);
  }

  /** Zero until it is counted: what begins with its first count has no growth that anybody could see. */
  declare(name: MetricName, labels: Labels): void {
    const key = keyOf(name, labels);
    if (this.#seen.has(key) || this.#seen.size >= SERIES / 2) return;
    this.#seen.add(key);
    this.#counters.get(name)!.inc(labels, 0);
  }

  observe(name: MetricName, labels: Labels, seconds: number): void {
    this.#histograms.get(name)!.observe(labels, seconds);
  }

  /** In Prometheus' text format. */
  async text(samples: Iterable<Sample>): Promise<string> {
    const reset = new Set<MetricName>();
    for (const gauge of this.#gauges.values()) gauge.reset();
    for (const [name, labels, value] of samples) {
      this.#gauges.get(name)?.set(labels, value);
      const counter = this.#counters.get(name);
      if (counter !== undefined && !reset.has(name)) {
        counter.reset();
        reset.add(name);
      }
      counter?.inc(labels, value);
    }
    return this.#registry.metrics();
  }

  get contentType(): string {
    return this.#registry.contentType;
  }
}

function keyOf(name: MetricName, labels: Labels): string {
  return `${name} ${JSON.stringify(Object.entries(labels).sort())}`;
}

/** Of those that are counted here, all together. */
const SERIES = 10_000;
