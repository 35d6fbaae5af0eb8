/**
 * The demonstration's network, its servers, its rules and its engine: a client, a gateway, and two servers that both show
 * a certificate for the same name, from two authorities that the client trusts. One of them has the pinned key. Knows
 * nothing of what is shown.
 *
 *   client ── gateway (tlspin) ──┬── the genuine server
 *                                └── a forged one, to which the client was led
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { CertificateShop, spkiPin } from './certificates.ts';
import type { Identity } from './certificates.ts';
import { Child } from './child.ts';
import { Network } from './network.ts';
import type { IpVersion } from './network.ts';

export type Site = 'genuine' | 'forged';

export interface Visit {
  readonly site: Site;
  readonly ip: IpVersion;
  readonly tls: '1.2' | '1.3';
}

/** The parts of a verdict record that the demonstration shows. */
export interface VerdictRecord {
  readonly event_type: string;
  readonly verdict: {
    readonly action: string;
    readonly reason: string;
    readonly pinset: string | null;
    readonly matched: string | null;
  };
  readonly tls?: { readonly version?: string; readonly subject?: string; readonly issuerdn?: string };
}

export interface ClientView {
  /** What reached the application; null where nothing did. */
  readonly page: string | null;
  /** The client's own words. */
  readonly error: string | null;
}

export const NAME = 'www.bank.example';

export class Stage {
  readonly #directory = mkdtempSync('/run/tlspin-demo-');
  readonly #children: Child[] = [];
  readonly #tlspin: readonly string[];
  #network: Network | undefined;
  #engine: Child | undefined;
  #seen = 0;

  /** `tlspin`: the command that runs this program, such as `['node', 'main.js']`. */
  constructor(tlspin: readonly string[]) {
    this.#tlspin = tlspin;
  }

  /** Network and servers; a gateway that does nothing yet. Resolves to the pin of the genuine server. */
  async build(): Promise<string> {
    const network = (this.#network = Network.create({ prefix: 'demo', hosts: ['client', 'gateway', 'server'] }));
    for (const ip of [4, 6] as const) {
      const address = [`${this.address('forged', ip)}/${ip === 4 ? 24 : 64}`, 'dev', 'left0'];
      network.run('server', 'ip', 'addr', 'add', ...address, ...(ip === 6 ? ['nodad'] : []));
    }
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
    await this.#serve('genuine', { cert: shop.chain('genuine', genuine.cert, honest.cert), key: genuine.key });
    await this.#serve('forged', { cert: shop.chain('forged', forged.cert, careless.cert), key: forged.key });
    return pin;
  }

  /** From here on tlspin is between them. */
  async pin(): Promise<void> {
    this.#network!.run('gateway', ...this.#tlspin, 'rules', '--apply', '-c', this.#path('demo.json'));
    this.#engine = this.#start('gateway', [...this.#tlspin, 'run', '-c', this.#path('demo.json'), '--log', '-']);
    await this.#queueBound();
  }

  address(site: Site, ip: IpVersion): string {
    const address = this.#network!.address('server', ip);
    return site === 'genuine' ? address : address.replace(/2$/, '66');
  }

  /** What a person would type, who was led to this address. */
  command({ site, ip, tls }: Visit): string[] {
    const address = this.address(site, ip);
    const version = tls === '1.2' ? ['--tls-max', '1.2'] : ['--tlsv1.3'];
    return ['curl', ...version, '--connect-to', `::${ip === 6 ? `[${address}]` : address}`, `https://${NAME}/`];
  }

  async visit(visit: Visit): Promise<ClientView> {
    const [program = '', ...args] = this.command(visit);
    const quiet = ['--disable', '--silent', '--show-error', '--noproxy', '*', '--max-time', '10'];
    const trust = ['--cacert', this.#path('trusted.chain.pem')];
    const client = this.#start('client', [program, ...quiet, ...trust, ...args], '');
    const { code } = await client.ended;
    const page = client.output.trim();
    return { page: page === '' ? null : page, error: code === 0 ? null : complaint(client.errors) || `status ${code}` };
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

  async #serve(site: Site, { cert, key }: Identity): Promise<void> {
    const script = fileURLToPath(new URL('site.js', import.meta.url));
    const addresses = [this.address(site, 4), this.address(site, 6)];
    await this.#start('server', [process.execPath, script, cert, key, PAGES[site], ...addresses]).says(/listening/);
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

const PAGES: Readonly<Record<Site, string>> = {
  genuine: 'Welcome to your bank.',
  forged: 'This is not your bank.',
};

/** Of curl's `curl: (35) OpenSSL/3.0.17: error:0A000412:SSL routines::sslv3 alert bad certificate`, what matters. */
function complaint(errors: string): string {
  const line = errors.split('\n').find((text) => text.startsWith('curl: ')) ?? errors;
  const alert = line.split(':').find((part) => part.includes('alert'));
  return (alert ?? line.replace(/^curl: \(\d+\) /, '')).trim();
}

function verdicts(log: string): VerdictRecord[] {
  return log
    .slice(0, log.lastIndexOf('\n') + 1)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as VerdictRecord)
    .filter((record) => record.event_type === 'verdict');
}
