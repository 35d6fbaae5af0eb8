/**
 * The demonstration: a client, a gateway with real rules and a real engine, and two servers that both show a certificate
 * for the same name, from two authorities that the client trusts. One of them has the pinned key.
 *
 *   client ── gateway (tlspin) ──┬── the genuine server
 *                                └── a forged one, to which the client was led
 *
 * Runs where private.ts puts it; owns no network of its own after its end.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { CertificateShop, spkiPin } from './certificates.ts';
import type { Identity } from './certificates.ts';
import { Child } from './child.ts';
import { Network } from './network.ts';
import type { IpVersion } from './network.ts';
import type { Screen } from './screen.ts';

export interface DemoOptions {
  /** The command that runs this program, such as `['node', 'main.js']`. */
  readonly tlspin: readonly string[];
  readonly screen: Screen;
}

/** True when every outcome was the expected one. */
export async function runDemo({ tlspin, screen }: DemoOptions): Promise<boolean> {
  const stage = new Stage(tlspin);
  const interrupt = (): never => process.exit(INTERRUPTED);
  process.on('exit', stage.remove).once('SIGINT', interrupt).once('SIGTERM', interrupt).once('SIGHUP', interrupt);
  try {
    const act = await stage.build();
    introduce(screen, act);
    let asExpected = true;
    for (const version of [4, 6] as const) {
      for (const scene of SCENES) asExpected = (await play(screen, stage, scene, version)) && asExpected;
    }
    screen.line(
      asExpected
        ? screen.good('The genuine server was reached and the forged one was not: over IPv4 and IPv6.')
        : screen.bad('Not every outcome was the expected one.'),
    );
    return asExpected;
  } finally {
    await stage.stop();
    process.off('exit', stage.remove);
  }
}

const INTERRUPTED = 130;
const NAME = 'www.bank.example';

interface Scene {
  readonly server: 'genuine' | 'forged';
  readonly action: string;
  readonly reason: string;
}

const SCENES: readonly Scene[] = [
  { server: 'genuine', action: 'accept', reason: 'pin-match' },
  { server: 'forged', action: 'tls-alert', reason: 'pin-mismatch' },
];

interface Act {
  readonly pin: string;
  readonly addresses: Readonly<Record<Scene['server'], string>>;
}

/** The parts of a verdict record that the demonstration shows. */
interface VerdictRecord {
  readonly event_type: string;
  readonly dest_ip: string;
  readonly verdict: { action: string; reason: string; pinset: string | null; matched: string | null };
  readonly tls?: { sni?: string; version?: string; subject?: string; issuerdn?: string };
}

interface ClientView {
  /** Octets of the answer that reached the application. */
  readonly octets: number;
  readonly error: string | null;
  readonly millis: number;
}

class Stage {
  readonly #directory = mkdtempSync('/run/tlspin-demo-');
  readonly #children: Child[] = [];
  readonly #tlspin: readonly string[];
  #network: Network | undefined;
  #engine: Child | undefined;
  #seen = 0;

  constructor(tlspin: readonly string[]) {
    this.#tlspin = tlspin;
  }

  async build(): Promise<Act> {
    const network = (this.#network = Network.create({ prefix: 'demo', hosts: ['client', 'gateway', 'server'] }));
    const shop = new CertificateShop(this.#directory);
    const honest = shop.authority('Honest CA');
    const careless = shop.authority('Careless CA');
    const genuine = shop.leaf('genuine', { issuer: honest, names: [NAME] });
    const forged = shop.leaf('forged', { issuer: careless, names: [NAME] });
    shop.chain('trusted', honest.cert, careless.cert);
    const pin = spkiPin(genuine.cert);
    const pins = [pin, { pin: spkiPin(honest.cert), role: 'backup' }];
    const pinsets = [{ name: 'bank', match: { hosts: [NAME] }, pins }];
    writeFileSync(this.#path('demo.json'), JSON.stringify({ version: 1, pinsets }, null, 2));

    for (const version of [4, 6] as const) {
      network.run(
        'server',
        'ip',
        'addr',
        'add',
        `${this.address('forged', version)}/${version === 4 ? 24 : 64}`,
        'dev',
        'left0',
        ...(version === 6 ? ['nodad'] : []),
      );
    }
    await Promise.all([...this.#serve('genuine', genuine, honest), ...this.#serve('forged', forged, careless)]);
    network.shell('gateway', network.run('gateway', ...this.#tlspin, 'rules', '-c', this.#path('demo.json')));
    this.#engine = this.#start('gateway', [...this.#tlspin, 'run', '-c', this.#path('demo.json'), '--log', '-']);
    await this.#queueBound();
    return { pin, addresses: { genuine: this.address('genuine', 4), forged: this.address('forged', 4) } };
  }

  address(server: Scene['server'], version: IpVersion): string {
    const address = this.#network!.address('server', version);
    return server === 'genuine' ? address : address.replace(/2$/, '66');
  }

  /** openssl's client, as a person would call it, and what it had to say. */
  async visit(server: Scene['server'], version: IpVersion): Promise<ClientView> {
    const began = performance.now();
    const command = ['openssl', 's_client', '-connect', hostPort(this.address(server, version)), '-servername', NAME];
    const trust = ['-CAfile', this.#path('trusted.chain.pem'), '-verify_return_error', '-quiet'];
    const client = this.#start('client', ['timeout', '10', ...command, ...trust], 'GET / HTTP/1.0\r\n\r\n');
    const { code } = await client.ended;
    return {
      octets: client.output.length,
      error: code === 0 ? null : complaint(client.errors) || `openssl ended with status ${code}`,
      millis: Math.round(performance.now() - began),
    };
  }

  /** The next verdict of the engine's log. */
  async verdict(): Promise<VerdictRecord> {
    const at = this.#seen++;
    await this.#engine!.until((engine) => verdicts(engine.output).length > at, 'the verdict was logged', 5_000);
    return verdicts(this.#engine!.output)[at]!;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#children.map((child) => child.end ?? child.stop()));
    this.remove();
  }

  readonly remove = (): void => {
    this.#network?.remove();
    rmSync(this.#directory, { recursive: true, force: true });
  };

  #path(name: string): string {
    return join(this.#directory, name);
  }

  #start(host: string, command: readonly string[], input?: string): Child {
    const child = new Child(...this.#network!.inside(host, command), input === undefined ? {} : { input });
    this.#children.push(child);
    return child;
  }

  #serve(server: Scene['server'], identity: Identity, issuer: Identity): Promise<void>[] {
    return ([4, 6] as const).map(async (version) => {
      const files = ['-cert', identity.cert, '-key', identity.key, '-cert_chain', issuer.cert];
      const listen = ['-accept', hostPort(this.address(server, version)), '-tls1_2', '-www'];
      await this.#start('server', ['openssl', 's_server', ...files, ...listen]).says(/ACCEPT/);
    });
  }

  async #queueBound(): Promise<void> {
    const deadline = performance.now() + 10_000;
    const bound = (): boolean =>
      this.#network!.run('gateway', 'cat', '/proc/net/netfilter/nfnetlink_queue').trim() !== '';
    while (!bound()) {
      if (this.#engine!.end !== undefined) throw new Error(`the engine ended: ${this.#engine!.errors.trim()}`);
      if (performance.now() > deadline) throw new Error('the engine did not bind its queue within 10 s');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

function introduce(screen: Screen, { pin, addresses }: Act): void {
  screen.title('tlspin demo: a client, a gateway with real iptables rules, two servers; all in private namespaces');
  screen.line();
  screen.line(`  client ── gateway ──┬── ${addresses.genuine.padEnd(14)} ${NAME}, issued by Honest CA`);
  screen.line(`            (tlspin)  └── ${addresses.forged.padEnd(14)} ${NAME}, issued by Careless CA`);
  screen.line();
  screen.line('  The client trusts both authorities. The pinset allows one key, and its authority as a backup:');
  screen.line(`  ${screen.faint(`{ "name": "bank", "match": { "hosts": ["${NAME}"] }, "pins": ["${pin}", …] }`)}`);
  screen.line();
  screen.command('tlspin rules -c demo.json | sh');
  screen.command('tlspin run -c demo.json');
  screen.line();
}

/** One visit: what the client saw, what the log says, and whether both are as they should be. */
async function play(screen: Screen, stage: Stage, scene: Scene, version: IpVersion): Promise<boolean> {
  screen.title(`IPv${version}, the ${scene.server} server`);
  screen.command(`openssl s_client -connect ${hostPort(stage.address(scene.server, version))} -servername ${NAME}`);
  const view = await stage.visit(scene.server, version);
  const reached = view.error === null && view.octets > 0;
  screen.field(
    'client',
    reached
      ? screen.good(`got the page: ${view.octets} octets, ${view.millis} ms`)
      : screen.bad(`got ${view.octets} octets, ${view.millis} ms`),
    ...(view.error === null ? [] : [view.error]),
  );
  const { verdict, tls } = await stage.verdict();
  const words = `${verdict.action}, ${verdict.reason}`;
  screen.field(
    'verdict',
    `${verdict.action === 'accept' ? screen.good(words) : screen.bad(words)}${verdict.pinset === null ? '' : `, pinset ${verdict.pinset}`}`,
    ...(verdict.matched === null ? [] : [`matched ${verdict.matched}`]),
    `${tls?.version ?? ''} ${tls?.sni ?? ''}: subject ${tls?.subject ?? '?'}, issuer ${tls?.issuerdn ?? '?'}`,
  );
  const asExpected =
    verdict.action === scene.action &&
    verdict.reason === scene.reason &&
    (scene.server === 'genuine' ? reached : view.error !== null && view.octets === 0);
  if (!asExpected) screen.field('', screen.bad(`expected: ${scene.action}, ${scene.reason}`));
  screen.line();
  return asExpected;
}

/** Of openssl's `80…:error:0A000412:SSL routines:ssl3_read_bytes:sslv3 alert bad certificate:…c:1601:SSL alert number 42`. */
function complaint(errors: string): string {
  const line = errors.split('\n').find((text) => /alert|error|reset|refused/i.test(text)) ?? '';
  const alerts = line.split(':').filter((part) => part.includes('alert'));
  return (alerts.length > 0 ? alerts.join(', ') : line).trim();
}

function verdicts(log: string): VerdictRecord[] {
  return log
    .slice(0, log.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as VerdictRecord)
    .filter((record) => record.event_type === 'verdict');
}

function hostPort(address: string): string {
  return address.includes(':') ? `[${address}]:443` : `${address}:443`;
}
