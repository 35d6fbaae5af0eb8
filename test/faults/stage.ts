/**
 * Where one fault is played: a client, the gateway with the engine as it is to be set, servers of every kind, and
 * connections that were open before. Knows how to look at all of them; knows no fault.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';

import { loadPolicy } from '../../src/pins/load.ts';
import { ControlClient } from '../../src/runtime/control/client.ts';
import type { Request } from '../../src/runtime/control/client.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { renderRemoval, renderRules } from '../../src/runtime/rules/render.ts';
import type { Bank } from '../support/lab/bank.ts';
import { pinset } from '../support/lab/bank.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import type { RunOptions } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { KINDS, PORTS, startHosts, VERSIONS, Visitors } from '../support/lab/visitors.ts';
import type { Kind, Visit, VisitOutcome } from '../support/lab/visitors.ts';

export const SETTINGS = ['closed', 'open'] as const;
/** `open`: what can be told to let pass rather than to stop does so (`failOpen`, and rules with `--queue-bypass`). */
export type Setting = (typeof SETTINGS)[number];

/** How each kind of visitor, and the connections that were open, fared: in words, where TLS versions differ by version. */
export type Look = Readonly<Record<Kind | 'established', string>>;

/** Hosts, servers and visitors, which one fault after the other finds as the first did. */
export class Place {
  readonly lab: Lab;
  readonly bank: Bank;
  readonly visitors: Visitors;

  private constructor(lab: Lab, bank: Bank) {
    this.lab = lab;
    this.bank = bank;
    this.visitors = new Visitors(lab);
  }

  static async create(bank: Bank): Promise<Place> {
    const lab = new Lab();
    try {
      await startHosts(lab, bank);
      return new Place(lab, bank);
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  /** As it was before the first. */
  tidy(): void {
    this.visitors.leaveAll();
    this.lab.shell('gateway', TIDY);
    for (const name of readdirSync(this.lab.directory)) rmSync(this.lab.path(name), { recursive: true });
  }
}

export class Stage {
  readonly lab: Lab;
  readonly setting: Setting;
  readonly engine: Engine;
  readonly #visitors: Visitors;
  readonly #document: object;
  readonly #rules: string;
  readonly #established: ((timeout: number) => Promise<VisitOutcome>)[] = [];
  readonly #others: Child[] = [];

  /** All but the engine, which has not been started. `more`: of its configuration. */
  constructor({ lab, bank, visitors }: Place, setting: Setting, more: object = {}) {
    this.lab = lab;
    this.setting = setting;
    this.#visitors = visitors;
    lab.write('0.list', '');
    this.#document = {
      version: 1,
      pinsets: [pinset({ pins: [bank.pin, BACKUP] })],
      ports: [PORT_RANGE],
      failOpen: setting === 'open',
      control: { socket: lab.path('control') },
      lists: { 0: { file: lab.path('0.list'), writable: true, kind: 'cert-sha1' } },
      rules: [{ fpl: '0', match: { ports: [PORT_RANGE] }, verdict: 'drop' }],
      ...more,
    };
    this.engine = new Engine(lab, { config: this.#document });
    const loaded = loadPolicy(this.engine.config);
    if (!('policy' in loaded)) throw new Error(`no policy: ${JSON.stringify(loaded)}`);
    const options = { hook: 'forward', format: 'iptables', quic: true } as const;
    this.#rules = renderRules(loaded.policy, { ...options, queueBypass: setting === 'open' });
  }

  async start(options: RunOptions = {}): Promise<void> {
    await this.engine.run(options);
  }

  applyRules(): void {
    this.lab.shell('gateway', this.#rules);
  }

  removeRules(): void {
    this.lab.shell('gateway', renderRemoval('forward', 'iptables'));
  }

  /** Another process of tlspin's on the gateway, whose words count as said. */
  startAnother(...args: string[]): Child {
    return this.assist(...TLSPIN, ...args);
  }

  /** Another process on the gateway. */
  assist(...command: string[]): Child {
    const child = this.lab.start('gateway', command);
    this.#others.push(child);
    return child;
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(this.engine.child.pid!, signal);
  }

  /** Until it has ended, by itself or because it was told. */
  async ended(): Promise<void> {
    await this.engine.child
      .until((child) => child.end !== undefined, 'its end', 60_000)
      .catch((error: Error) => {
        if (this.engine.child.end === undefined) throw error;
      });
  }

  async ask(request: Request): Promise<Readonly<Record<string, unknown>>> {
    const client = await ControlClient.connect(this.lab.path('control'));
    try {
      return await client.ask(request);
    } finally {
      client.close();
    }
  }

  /** Its configuration file, with these fields changed. */
  configure(fields: object = {}): void {
    this.lab.write('tlspin.json', JSON.stringify({ ...this.#document, ...fields }));
  }

  /** Connections that stay: pinned and not, of each version. */
  async establish(): Promise<void> {
    for (const kind of ['genuine', 'unpinned'] as const) {
      for (const version of VERSIONS) this.#established.push(await this.#visitors.open({ kind, version }));
    }
  }

  /** How a question fares over each connection that is open. */
  async lookAtEstablished(timeout: number): Promise<string> {
    const outcomes = await Promise.all(this.#established.map((ask) => ask(timeout)));
    const words = outcomes.map(({ outcome }) => (outcome === 'served' ? 'go on' : outcome));
    return [...new Set(words)].sort().join(' or ');
  }

  /** One visitor of each kind and version, and a question over each connection that is open, all at once. */
  async look(timeout: number): Promise<Look> {
    const words = (kind: Kind): Promise<string> =>
      Promise.all(VERSIONS.map((version) => this.#visit({ kind, version, timeout }))).then(inWords);
    const [established, ...visited] = await Promise.all([this.lookAtEstablished(timeout), ...KINDS.map(words)]);
    const fared = KINDS.map((kind, at) => [kind, visited[at]!] as const);
    return { ...(Object.fromEntries(fared) as Record<Kind, string>), established };
  }

  /** Codes of the anomalies that are in its log; a FIFO has nothing left to read. */
  get anomalies(): string[] {
    if (this.engine.log.endsWith('fifo')) return [];
    return [...new Set(this.engine.anomalies.map(({ anomaly }) => anomaly.event))].sort();
  }

  get said(): string {
    return this.engine.said + this.#others.map(({ errors }) => errors).join('');
  }

  async close(): Promise<void> {
    const running = [...this.engine.processes, ...this.#others].filter((child) => child.end === undefined);
    await Promise.all(running.map((child) => child.stop('SIGKILL')));
  }

  /** A served visitor of a forged server is one to whom it was delivered, whether or not the page came. */
  async #visit(visit: Visit): Promise<string> {
    const { outcome, shook } = await this.#visitors.visit(visit);
    return shook ? 'served' : outcome;
  }
}

/** How many file descriptors a running process may have from now on. */
export function limitFiles(child: Child, count: number): void {
  execFileSync('prlimit', ['--pid', `${child.pid!}`, `--nofile=${count}:`]);
}

function inWords(outcomes: readonly string[]): string {
  const [first] = outcomes;
  if (outcomes.every((outcome) => outcome === first)) return first!;
  return outcomes.map((outcome, at) => `${outcome} (${VERSIONS[at]!.replace('TLSv', '')})`).join(', ');
}

/** Of a key that is kept elsewhere. */
export const BACKUP = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;

/** In the rules, and nobody serves it. */
export const SPARE_PORT = PORTS.unpinned + 1;
const PORT_RANGE = `${PORTS.genuine}-${SPARE_PORT}`;

/** No rule, no mark, no disk of a fault's. */
const TIDY = `
for program in iptables ip6tables; do
  for table in raw mangle filter nat; do $program -w -t $table -F && $program -w -t $table -X || true; done
done 2>/dev/null
conntrack -F 2>/dev/null || true`;
