/**
 * Where the matrix is played: client, gateway with the engine, server. Name and trust are the system's own, for every
 * client alike: /etc/hosts and /etc/ssl/certs are laid over in this run's own mount namespace. Knows no program.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, openSync, readSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Child } from '../../src/runtime/demo/child.ts';
import type { Identity } from '../../src/runtime/demo/certificates.ts';
import { type Bank, makeBank, NAME, pinset } from '../support/lab/bank.ts';
import { Engine, type VerdictRecord } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { ROOT } from '../support/built.ts';

export const VERSIONS = ['1.2', '1.3'] as const;
export type Version = (typeof VERSIONS)[number];
export const SIDES = ['genuine', 'forged'] as const;
export type Side = (typeof SIDES)[number];

/** One server at one port: whose certificate it has, and the version that it speaks. */
export interface Face {
  readonly side: Side;
  readonly version: Version;
  readonly port: number;
}

export interface Asked {
  /** All that the client printed, and the files that it wrote. */
  readonly got: string;
  /** What the engine ruled meanwhile. */
  readonly verdicts: readonly VerdictRecord[];
}

const PEERS = `${ROOT}test/matrix/peers`;
const OVERLAID = ['/etc/hosts', '/etc/resolv.conf', '/etc/ssl/certs'] as const;
/** Seconds that a client may take. */
const PATIENCE = 40;
/** Milliseconds. */
const STARTED = 40_000;
const RULED = 1_000;
const CLOSED = 400;

export class Place {
  readonly lab: Lab;
  readonly #bank: Bank;
  readonly #engine: Engine;
  readonly #built: string;
  readonly #log: VerdictLog;
  #asked = 0;

  private constructor(lab: Lab, bank: Bank, engine: Engine, built: string) {
    this.lab = lab;
    this.#bank = bank;
    this.#engine = engine;
    this.#built = built;
    this.#log = new VerdictLog(engine.log);
  }

  /** The pinset is for the server's name, or for its address. */
  static async create(by: 'name' | 'address'): Promise<Place> {
    // Each program that runs ends with this process.
    process.setMaxListeners(0);
    const lab = new Lab();
    const bank = makeBank();
    // Some servers read their page and their key as somebody else.
    for (const directory of [lab.directory, join(bank.ca, '..')]) chmodSync(directory, 0o755);
    layOver(lab, bank);
    const ports = [`${FIRST_PORT}-${LAST_PORT}`];
    const match = by === 'name' ? {} : { match: { addresses: [lab.address('server')] } };
    const config = { pinsets: [pinset({ pins: [bank.pin], ...match })], ports };
    const engine = await Engine.start(lab, { config });
    return new Place(lab, bank, engine, build(lab));
  }

  /** Starts a server with this face; resolves when it takes connections. */
  async serve(script: string, face: Face): Promise<Child> {
    const { cert, key }: Identity = face.side === 'genuine' ? this.#bank.genuineChain : this.#bank.forgedChain;
    const directory = this.#directory(`server-${face.port}`);
    writeFileSync(join(directory, 'index.html'), `<html><body><p>the ${face.side} page</p></body></html>\n`);
    const env = { DIR: directory, CERT: cert, KEY: key, PORT: `${face.port}`, VERSION: face.version };
    const child = this.lab.start('server', ['bash', '-euc', script], { env: this.#env(env) });
    await this.#listening(child, face.port);
    return child;
  }

  /** Runs a client: from behind the gateway, or beside the server, where no engine is. */
  async ask(script: string, { port }: Face, from: 'client' | 'server' = 'client'): Promise<Asked> {
    const directory = this.#directory(`client-${this.#asked++}`);
    const env = { HOME: directory, PORT: `${port}`, URL: `https://${NAME}:${port}/index.html` };
    const bounded = ['timeout', '-k', '1', `${PATIENCE}`, 'bash', '-c', `cd $HOME\n${script}`];
    const before = this.#log.position;
    const child = this.lab.start(from, bounded, { env: this.#env(env), input: '' });
    await child.ended;
    const got = `${child.output}\n${child.errors}\n${contents(directory)}`;
    execFileSync('rm', ['-rf', directory]);
    return { got, verdicts: from === 'client' ? await this.#log.of(port, before) : [] };
  }

  async close(): Promise<void> {
    await this.lab.close();
    // What is laid over a file that is removed can be laid over no more.
    for (const path of OVERLAID) execFileSync('umount', ['--lazy', path]);
    this.#bank.remove();
  }

  get said(): string {
    return this.#engine.said;
  }

  #env(more: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
    return { HOST: NAME, PEERS, BUILT: this.#built, TERM: 'dumb', LC_ALL: 'C.UTF-8', ...more };
  }

  #directory(name: string): string {
    const path = this.lab.path(name);
    mkdirSync(path);
    return path;
  }

  async #listening(child: Child, port: number): Promise<void> {
    const deadline = Date.now() + STARTED;
    while (this.lab.run('server', 'ss', '-Hltn', `sport = :${port}`) === '') {
      if (child.end !== undefined || Date.now() > deadline) {
        throw new Error(`it does not listen: ${child.output.slice(-300)} ${child.errors.slice(-600)}`);
      }
      await pause(100);
    }
  }
}

/** Records as they come; which of them belong to whom, their port says. */
class VerdictLog {
  readonly #path: string;
  readonly #records: VerdictRecord[] = [];
  #file: number | undefined;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  get position(): number {
    this.#read();
    return this.#records.length;
  }

  /** All of a port behind a position, once the first is there and those that follow at once. */
  async of(port: number, since: number): Promise<VerdictRecord[]> {
    const seen = (): VerdictRecord[] => {
      this.#read();
      return this.#records.slice(since).filter((record) => record.dest_port === port);
    };
    for (let waited = 0; seen().length === 0 && waited < RULED; waited += 50) await pause(50);
    await pause(CLOSED);
    return seen();
  }

  #read(): void {
    this.#file ??= openSync(this.#path, 'r');
    const octets = Buffer.alloc(1 << 16);
    for (let length; (length = readSync(this.#file, octets)) > 0;) this.#rest += octets.toString('latin1', 0, length);
    const lines = this.#rest.split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) {
      const record = JSON.parse(line) as { event_type: string };
      if (record.event_type === 'verdict') this.#records.push(record as VerdictRecord);
    }
  }
}

/** Everybody's names and authorities, as far as this run's mount namespace reaches. */
function layOver(lab: Lab, bank: Bank): void {
  // Mail servers look for the names of whoever comes, the gateway's probes included.
  const others = [`${lab.address('client')} client.example`, '198.51.100.1 gateway.example'];
  const names = ['127.0.0.1 localhost', `${lab.address('server')} ${NAME}`, ...others];
  const hosts = lab.write('hosts', `${names.join('\n')}\n`);
  // Nobody else knows a name, which is said at once: Firefox asks for some before it begins, and waits for half a minute.
  const resolver = lab.write('resolv.conf', 'nameserver 127.0.0.1\n');
  const script = `
    mount --bind ${hosts} ${OVERLAID[0]}
    mount --bind ${resolver} ${OVERLAID[1]}
    mount -t tmpfs none ${OVERLAID[2]}
    cp ${bank.ca} /etc/ssl/certs/ca-certificates.crt
    csplit -s -z -f /etc/ssl/certs/ca -b %02d.pem ${bank.ca} '/BEGIN/' '{*}'
    openssl rehash /etc/ssl/certs
    ! command -v keytool > /dev/null || for ca in /etc/ssl/certs/ca0*.pem; do mkdir -p /etc/ssl/certs/java
      keytool -importcert -noprompt -storetype JKS -alias $ca -file $ca -keystore /etc/ssl/certs/java/cacerts -storepass changeit
    done`;
  execFileSync('bash', ['-euc', script], { stdio: 'pipe' });
}

/** Programs that have to be compiled, as far as their compilers are here. */
function build(lab: Lab): string {
  const to = lab.path('built');
  mkdirSync(to);
  const script = `
    ! command -v go > /dev/null || for program in ask serve; do go build -o ${to}/$program ${PEERS}/$program.go; done
    ! command -v javac > /dev/null || javac -d ${to} ${PEERS}/*.java`;
  execFileSync('bash', ['-euc', script], { stdio: 'pipe' });
  return to;
}

function contents(directory: string): string {
  const found = ['-maxdepth', '4', '-type', 'f', '-size', '-64k', '-not', '-path', '*/profile/*'];
  const options = { encoding: 'latin1', maxBuffer: 1 << 26 } as const;
  return execFileSync('find', [directory, ...found, '-exec', 'cat', '{}', '+'], options);
}

function pause(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}

/** What a program's users have on this machine is not the matter: each face has a port of its own. */
export const FIRST_PORT = 20_000;
export const LAST_PORT = 20_999;
