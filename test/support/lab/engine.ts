/** The program as users run it, in a host of the lab: its rules applied, its engine running, its log read. */
import { readFileSync } from 'node:fs';

import { recordSchema } from '../../../src/report/schema.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { ROOT } from '../built.ts';
import type { Lab } from './lab.ts';

/** The parts of a verdict record that tests ask about (all of them are in the log). */
export interface VerdictRecord {
  readonly event_type: 'verdict';
  readonly src_ip: string;
  readonly src_port: number;
  readonly dest_ip: string;
  readonly dest_port: number;
  readonly proto: string;
  readonly app_proto?: string;
  readonly verdict: {
    readonly action: string;
    readonly reason: string;
    readonly pinset: string | null;
    readonly mode: string;
    readonly evidence: string;
    readonly matched: string | null;
    readonly would?: string;
    readonly fault?: string;
    readonly held_us: number;
  };
  readonly tls?: {
    readonly sni?: string;
    readonly version?: string;
    readonly fingerprint?: string;
    readonly session_resumed?: boolean;
  };
}

export interface AnomalyRecord {
  readonly event_type: 'anomaly';
  readonly anomaly: {
    readonly event: string;
    readonly detail: string;
    /** Of what begins and ends. */
    readonly state?: 'begin' | 'end';
    readonly subject?: string;
  };
}

export interface EngineOptions {
  /** The host that it runs on; the gateway unless told. */
  readonly host?: string;
  /** The configuration, without its version. */
  readonly config: object;
  /** Arguments of `tlspin rules` besides the configuration; null: no rules. */
  readonly rules?: readonly string[] | null;
}

/** How the process is started, besides. */
export interface RunOptions {
  readonly env?: NodeJS.ProcessEnv;
  /** A command that starts it in its own place. */
  readonly under?: readonly string[];
  /** Where records go instead; null: where the configuration says. */
  readonly log?: string | null;
  /** Further arguments. */
  readonly more?: readonly string[];
}

export const TLSPIN = [process.execPath, `${ROOT}dist/cli/main.js`];

export class Engine {
  readonly #lab: Lab;
  readonly #host: string;
  readonly #config: string;
  #log: string;
  readonly #children: Child[] = [];
  /** Records that are known to be as the schema of the log says. */
  #checked = 0;

  /** Writes its configuration; `start` does the rest too. */
  constructor(lab: Lab, options: EngineOptions) {
    this.#lab = lab;
    this.#host = options.host ?? 'gateway';
    this.#config = lab.write('tlspin.json', JSON.stringify({ version: 1, ...options.config }, null, 2));
    this.#log = lab.path('verdicts.ndjson');
  }

  /** Resolves when the queue is bound and the rules are in place. */
  static async start(lab: Lab, options: EngineOptions): Promise<Engine> {
    const engine = new Engine(lab, options);
    await engine.run();
    if (options.rules !== null) engine.applyRules(...(options.rules ?? []));
    return engine;
  }

  /** Starts the process (again). */
  async run({ env, under = [], log = this.#log, more = [] }: RunOptions = {}): Promise<void> {
    if (log !== null) this.#log = log;
    this.#checked = 0;
    const to = log === null ? [] : ['--log', log];
    const command = [...under, ...TLSPIN, 'run', '-c', this.#config, ...to, ...more];
    const child = this.#lab.start(this.#host, command, env === undefined ? {} : { env });
    this.#children.push(child);
    await child.says(/bound/, STARTED_MS);
  }

  /** Another process takes the place of the one that runs, which is returned. */
  async takeOver(options: RunOptions = {}): Promise<Child> {
    const before = this.child;
    await this.run({ ...options, more: ['--takeover'] });
    return before;
  }

  applyRules(...args: string[]): void {
    const script = this.#lab.run(this.#host, ...TLSPIN, 'rules', '-c', this.#config, ...args);
    this.#lab.shell(this.#host, script);
  }

  /** Ends it as nothing can prevent. */
  async kill(): Promise<void> {
    await this.child.stop('SIGKILL');
  }

  get child(): Child {
    return this.#children.at(-1)!;
  }

  /** The one that runs, and those before it. */
  get processes(): readonly Child[] {
    return this.#children;
  }

  /** What every process of it has said on standard error. */
  get said(): string {
    return this.#children.map(({ errors }) => errors).join('');
  }

  /** Where its records go. */
  get log(): string {
    return this.#log;
  }

  /** The file of its configuration. */
  get config(): string {
    return this.#config;
  }

  get verdicts(): VerdictRecord[] {
    return this.#records.filter((record): record is VerdictRecord => record.event_type === 'verdict');
  }

  /** Without conditions of protection. */
  get anomalies(): AnomalyRecord[] {
    return this.#anomalies.filter(({ anomaly: { state } }) => state === undefined);
  }

  /** `rules.none begin`: what was told of conditions of protection. */
  get conditions(): string[] {
    return this.#anomalies.flatMap(({ anomaly: { event, state } }) =>
      state === undefined ? [] : [`${event} ${state}`],
    );
  }

  get #anomalies(): AnomalyRecord[] {
    return this.#records.filter((record): record is AnomalyRecord => record.event_type === 'anomaly');
  }

  get #records(): (VerdictRecord | AnomalyRecord)[] {
    let text: string;
    try {
      text = readFileSync(this.#log, 'utf8');
    } catch {
      return [];
    }
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
    const records = lines
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as VerdictRecord | AnomalyRecord);
    for (; this.#checked < records.length; this.#checked++) recordSchema.parse(records[this.#checked]);
    return records;
  }

  /** The first `count` verdict records, when there are that many. */
  async logged(count: number, timeout = 5_000): Promise<VerdictRecord[]> {
    const deadline = Date.now() + timeout;
    while (this.verdicts.length < count) {
      if (Date.now() > deadline) {
        const seen = this.verdicts.map(({ verdict }) => `${verdict.action}/${verdict.reason}`).join(', ');
        throw new Error(`${this.verdicts.length} verdicts instead of ${count} (${seen}); stderr: ${this.child.errors}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    return this.verdicts;
  }

  /** The next verdict after the ones given. */
  async next(after: number): Promise<VerdictRecord> {
    return (await this.logged(after + 1))[after]!;
  }

  /** Packets that ever were in the queue (id_sequence of /proc/net/netfilter/nfnetlink_queue). */
  get queued(): number {
    const lines = this.#lab.run(this.#host, 'cat', '/proc/net/netfilter/nfnetlink_queue').trim().split('\n');
    return lines.reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[7]), 0);
  }
}

/** The connection marks that a host's conntrack has for a server's port, or for one of its clients' ports. */
export function connmarks(
  lab: Lab,
  host: string,
  ports: { port?: number; clientPort?: number | undefined } = {},
): number[] {
  const { port = 443, clientPort } = ports;
  const lines = lab.run(host, 'cat', '/proc/net/nf_conntrack').split('\n');
  return lines
    .filter((line) => line.includes(` dport=${port} `))
    .filter((line) => clientPort === undefined || line.includes(` sport=${clientPort} `))
    .map((line) => Number(/ mark=(\d+)/.exec(line)?.[1] ?? Number.NaN));
}

/** A busy machine has more to do than to start it. */
const STARTED_MS = 60_000;
