/**
 * A fleet in a line of hosts: a cluster of three servers of NATS, gateways that run the program, and whoever pushes. A
 * gateway has its own queue of its host's kernel; the one of the name `gateway` stands between client and server.
 */
import { readFileSync } from 'node:fs';

import { nkeys } from '@nats-io/transport-node';

import type { Health } from '../../../src/cli/health.ts';
import { createKeyFiles } from '../../../src/minisign/keys.ts';
import { ControlClient } from '../../../src/runtime/control/client.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { TLSPIN } from './engine.ts';
import type { Lab } from './lab.ts';

export class Fleet {
  readonly #lab: Lab;
  readonly #brokers = new Map<number, Child>();
  readonly #gateways = new Map<string, Child>();
  readonly servers: readonly string[];
  readonly #user = nkeys.createUser();
  readonly #keys = createKeyFiles();
  readonly nkey: string;

  constructor(lab: Lab) {
    this.#lab = lab;
    this.servers = PORTS.map((port) => `nats://${lab.address('server')}:${port}`);
    this.nkey = lab.write('user.nkey', new TextDecoder().decode(this.#user.getSeed()));
    lab.write('office.key', this.#keys.secret);
    lab.write('stranger.nkey', new TextDecoder().decode(nkeys.createUser().getSeed()));
    lab.write('stranger.key', createKeyFiles().secret);
    this.configure('admin', {});
  }

  /** Which of them are to run. */
  async startBrokers(...numbers: number[]): Promise<void> {
    for (const n of numbers) this.#startBroker(n);
    for (const n of numbers) await this.#brokers.get(n)!.says(/Server is ready/, 30_000);
  }

  async stopBrokers(...numbers: number[]): Promise<void> {
    await Promise.all(numbers.map((n) => this.#brokers.get(n)!.stop('SIGKILL')));
  }

  #startBroker(n: number): void {
    const configuration = `
      server_name: n${n}
      listen: "0.0.0.0:${PORTS[n]}"
      jetstream { store_dir: "${this.#lab.path(`nats${n}`)}" }
      authorization { users: [ { nkey: ${this.#user.getPublicKey()} } ] }
      cluster {
        name: office
        listen: "127.0.0.1:${ROUTES[n]}"
        routes: [ ${ROUTES.map((port) => `"nats://127.0.0.1:${port}"`).join(', ')} ]
      }`;
    const file = this.#lab.write(`nats${n}.conf`, configuration);
    this.#brokers.set(n, this.#lab.start('server', ['nats-server', '-c', file]));
  }

  /** Writes a gateway's configuration; `fleet`: what its section has besides. */
  configure(gateway: string, more: object, fleet: object = {}): string {
    const section = {
      name: 'office',
      gateway,
      servers: this.servers,
      trustedKeys: [this.#keys.publicKey.line],
      spool: `spool-${gateway}`,
      nkey: 'user.nkey',
      ...fleet,
    };
    const control = { socket: `${gateway}.sock` };
    return this.#lab.write(
      `${gateway}.json`,
      JSON.stringify({ version: 1, control, fleet: section, ...more }, null, 2),
    );
  }

  async startGateway(host: string): Promise<void> {
    const files = ['-c', this.#lab.path(`${host}.json`), '--log', this.#lab.path(`${host}.ndjson`)];
    const child = this.#lab.start(host, [...TLSPIN, 'run', ...files]);
    this.#gateways.set(host, child);
    await child.says(/bound/, 60_000);
  }

  async stopGateway(host: string): Promise<void> {
    await this.#gateways.get(host)!.stop('SIGKILL');
  }

  /** Nothing goes between the host and the servers, either way. */
  cutOff(host: string): void {
    this.#lab.shell(host, this.#partition('-I'));
  }

  heal(host: string): void {
    this.#lab.shell(host, this.#partition('-D'));
  }

  /** From everything: servers tell of all their addresses, of which a client tries each. */
  #partition(how: '-I' | '-D'): string {
    const rules = ['INPUT ! -i lo', 'OUTPUT ! -o lo'].map((rule) => `$family ${how} ${rule} -j DROP`).join('; ');
    return `for family in iptables ip6tables; do ${rules}; done`;
  }

  said(host: string): string {
    return this.#gateways.get(host)!.errors;
  }

  /** `tlspin fleet …` of whoever administers; without ending the test where it fails. */
  run(...args: string[]): { readonly status: number; readonly text: string } {
    const words = [...TLSPIN, 'fleet', ...args].map((word) => `'${word}'`).join(' ');
    return this.#shell('server', words);
  }

  push(file: string, ...args: string[]): { readonly status: number; readonly text: string } {
    return this.run(
      'push',
      this.#lab.path(file),
      '-c',
      this.#lab.path('admin.json'),
      '--key',
      this.#lab.path('office.key'),
      ...args,
    );
  }

  /** `1, 1, 2`: what the gateways have in force, by their logs. */
  get versions(): string {
    return [...this.#gateways.keys()].map((host) => this.#versionOf(host)).join(', ');
  }

  #versionOf(host: string): number {
    const lines = readFileSync(this.#lab.path(`${host}.ndjson`), 'utf8')
      .split('\n')
      .slice(0, -1);
    const records = lines.map((line) => JSON.parse(line) as { config?: { by?: string; result?: string } });
    const taken = records.flatMap(({ config }) =>
      config?.result === 'in-force' ? [BY.exec(config.by ?? '')?.[1]] : [],
    );
    return Number(taken.findLast((version) => version !== undefined) ?? 0);
  }

  /** `fleet.refused: why`: what holds of a gateway's protection. */
  async conditions(host: string): Promise<string> {
    const client = await ControlClient.connect(this.#lab.path(`${host}.sock`));
    try {
      const { health } = (await client.ask({ command: 'health' })) as unknown as { health: Health };
      return health.conditions.map(({ code, detail }) => `${code}: ${detail}`).join('\n');
    } finally {
      client.close();
    }
  }

  /** Whoever has broken into the brokers. */
  intrude(what: 'forge' | 'unsigned' | 'replay'): void {
    const of = { servers: this.servers, nkey: this.nkey, key: 'office.all', what };
    this.#lab.run('server', process.execPath, INTRUDER, JSON.stringify(of));
  }

  #shell(host: string, command: string): { status: number; text: string } {
    const said = this.#lab.shell(host, `${command} 2>&1 && echo '#0' || echo "#$?"`);
    return { status: Number(/#(\d+)\n$/.exec(said)?.[1]), text: said.replace(/#\d+\n$/, '') };
  }
}

/** Who put a document into force; a list that others have changed has no version. */
const BY = /^fleet .*, version (\d+)/;
const PORTS = [4222, 4223, 4224];
const ROUTES = [6222, 6223, 6224];
const INTRUDER = new URL('../peers/fleet-intruder.mjs', import.meta.url).pathname;
