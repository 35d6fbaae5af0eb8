/**
 * Where a soak happens: a client and servers behind wires that lose, double and delay, the engine between them, and what an
 * operator and the world do to it. Knows what it does; judges nothing.
 *
 *   client ── left (spoils) ── gateway ── right (spoils) ── server
 */
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

import { ControlClient } from '../../src/runtime/control/client.ts';
import type { Request } from '../../src/runtime/control/client.ts';
import type { Bank } from '../support/lab/bank.ts';
import { pinset } from '../support/lab/bank.ts';
import { Clock } from '../support/lab/clock.ts';
import { Engine } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { spoil } from '../support/lab/spoiling-wire.ts';
import { PORTS, startHosts, Visitors } from '../support/lab/visitors.ts';

/** While an engine was not there, or gave place: what began or lasted in it may fail, and be recorded nowhere. */
export interface Gap {
  readonly cause: string;
  readonly from: number;
  readonly until: number;
}

export class Site {
  readonly lab: Lab;
  readonly visitors: Visitors;
  readonly gaps: Gap[] = [];
  /** What was done, and how often. */
  readonly done = new Map<string, number>();
  readonly #engine: Engine;
  readonly #document: object;
  readonly #clock: Clock;
  readonly #log: string;
  #rotated = 0;
  #entries = 0;
  #generation = 0;

  private constructor(lab: Lab, document: object) {
    this.lab = lab;
    this.#document = document;
    this.#engine = new Engine(lab, { config: document });
    this.#clock = new Clock(lab);
    this.#log = lab.path('verdicts.ndjson');
    this.visitors = new Visitors(lab);
  }

  static async create(bank: Bank, seed: number): Promise<Site> {
    const lab = new Lab({ hosts: ['client', 'left', 'gateway', 'right', 'server'] });
    try {
      lab.withoutOffload('client', 'left', 'gateway', 'right', 'server');
      lab.write('keys.log', '');
      lab.write('0.list', '');
      const site = new Site(lab, {
        version: 1,
        ports: [`${PORTS.genuine}-${PORTS.unpinned}`],
        control: { socket: lab.path('control') },
        keylog: { file: lab.path('keys.log') },
        lists: { 0: { file: lab.path('0.list'), writable: true, kind: 'cert-sha1' } },
        rules: [{ fpl: '0', match: { ports: [`${PORTS.genuine}-${PORTS.unpinned}`] }, verdict: 'drop' }],
        pinsets: [pinset({ pins: [bank.pin], tls13: 'keylog-else-probe' })],
        probe: { perDestination: 6_000, perClient: 6_000 },
        log: { unpinned: true },
      });
      await spoil(lab, 'left', ['client', 'gateway'], SPOILING, seed);
      await spoil(lab, 'right', ['gateway', 'server'], SPOILING, seed + 1);
      await startHosts(lab, bank);
      await site.#start();
      site.#engine.applyRules();
      return site;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get keys(): string {
    return this.lab.path('keys.log');
  }

  /** Resident octets of the engine; 0 while it does not answer. */
  async memory(): Promise<number> {
    const { stats } = (await this.#ask({ command: 'stats' })) as { stats: { memory: number } };
    return stats.memory;
  }

  /** Received, decided and held: what does not add up is a packet without a verdict, or one with two. */
  async balance(): Promise<number> {
    const { stats } = (await this.#ask({ command: 'stats' })) as {
      stats: { packets: Readonly<Record<string, number>> };
    };
    const { received = 0, accepted = 0, dropped = 0, held_now: held = 0 } = stats.packets;
    return received - accepted - dropped - held;
  }

  /** Another configuration that comes to the same; every fifth is broken, and refused. */
  async reload(): Promise<void> {
    const generation = ++this.#generation;
    const isBroken = generation % 5 === 0;
    const log = { unpinned: true, certificates: generation % 2 === 0 ? 'full' : 'pins' };
    this.#configure(isBroken ? '{ "version": 1, broken' : JSON.stringify({ ...this.#document, log }));
    if (generation % 2 === 0) this.#signal('SIGHUP');
    else await this.#ask({ command: 'reload' });
    this.#count(isBroken ? 'reloads of a broken file' : 'reloads');
  }

  async changeList(): Promise<void> {
    const at = ++this.#entries;
    await this.#ask({ command: 'list', list: '0', action: 'add', entries: [entry(at)] });
    if (at > 20) await this.#ask({ command: 'list', list: '0', action: 'rm', entries: [entry(at - 20)] });
    this.#count('list changes');
  }

  /** Resolves to the lines of the log so far; it begins anew. */
  async rotate(): Promise<string[]> {
    const old = `${this.#log}.${++this.#rotated}`;
    renameSync(this.#log, old);
    this.#signal('SIGUSR1');
    for (let tries = 0; tries < 400 && !existsSync(this.#log); tries++) {
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    this.#count('rotations');
    return take(old);
  }

  setClock(offset: number): void {
    this.#clock.set(offset);
    this.#count('clock jumps');
  }

  /** Ends it and starts it again. */
  async restart(how: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    const from = Date.now();
    // What a broken file would keep from starting.
    this.#configure(JSON.stringify(this.#document));
    const before = this.#engine.child;
    this.#signal(how);
    await before.ended;
    await this.#start();
    this.gaps.push({ cause: how, from, until: Date.now() });
    this.#count(how === 'SIGTERM' ? 'restarts' : 'kills');
  }

  /** Another process takes its place: handshakes that are under way may be reset. */
  async takeOver(): Promise<void> {
    const from = Date.now();
    this.#configure(JSON.stringify(this.#document));
    const before = await this.#engine.takeOver({ env: this.#clock.env });
    await before.ended;
    this.gaps.push({ cause: 'takeover', from, until: Date.now() });
    this.#count('takeovers');
  }

  /** Starts it again after it has ended by itself. */
  async recover(): Promise<void> {
    const from = Date.now() - UNNOTICED_MS;
    this.#configure(JSON.stringify(this.#document));
    await this.#start();
    this.gaps.push({ cause: 'by itself', from, until: Date.now() });
    this.#count(ENDED_BY_ITSELF);
  }

  /** Ends it; the rest of its log. */
  async end(): Promise<string[]> {
    const { child } = this.#engine;
    this.#signal('SIGTERM');
    await child.ended;
    return take(this.#log);
  }

  get hasEnded(): boolean {
    return this.#engine.child.end !== undefined;
  }

  get said(): string {
    return this.#engine.said;
  }

  async #start(): Promise<void> {
    await this.#engine.run({ env: this.#clock.env });
  }

  #configure(text: string): void {
    // At once: a file that is half written would be another fault.
    writeFileSync(`${this.#engine.config}.new`, text);
    renameSync(`${this.#engine.config}.new`, this.#engine.config);
  }

  #signal(signal: NodeJS.Signals): void {
    process.kill(this.#engine.child.pid!, signal);
  }

  async #ask(request: Request): Promise<Readonly<Record<string, unknown>>> {
    const client = await ControlClient.connect(this.lab.path('control'));
    try {
      return await client.ask(request);
    } finally {
      client.close();
    }
  }

  #count(what: string): void {
    this.done.set(what, (this.done.get(what) ?? 0) + 1);
  }
}

/** Among what was done. */
export const ENDED_BY_ITSELF = 'ended by itself';

/** So long it may have been gone before anybody looked. */
const UNNOTICED_MS = 5_000;

const SPOILING = { lost: 10, doubled: 10, late: 20 };

function entry(at: number): string {
  return at.toString(16).padStart(40, '0');
}

/** What a file has, which is then gone. */
function take(file: string): string[] {
  const lines = readFileSync(file, 'utf8').split('\n');
  rmSync(file);
  return lines.filter((line) => line !== '');
}
