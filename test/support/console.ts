/** A console for tests: the real server and the real control socket, an engine whose decisions are made up. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { VerdictEvent } from '../../src/judge/events.ts';
import { CertificateEntries } from '../../src/report/certificate-entry.ts';
import { type EveRecord, toEve } from '../../src/report/eve.ts';
import { answerCommands, type CommandHost } from '../../src/runtime/control/commands.ts';
import { RecentVerdicts } from '../../src/runtime/control/recent-verdicts.ts';
import { type Answer, ControlServer } from '../../src/runtime/control/server.ts';
import { Subscriptions } from '../../src/runtime/control/subscriptions.ts';
import { idOf } from '../../src/runtime/incident/inbox.ts';
import { loadBinding } from '../../src/source/binding.ts';
import type { FleetView } from '../../src/web/api.ts';
import type { AskFleet } from '../../src/web/elsewhere.ts';
import type { AskServer } from '../../src/web/evidence.ts';
import { listening } from '../../src/web/listen.ts';
import { serve, type Served } from '../../src/web/serve.ts';
import type { Rate } from '../../src/web/sessions.ts';
import { describeCertificate } from '../../src/x509/certificate.ts';
import { presentCertificate } from '../../src/x509/presented.ts';
import type { Policy } from '../../src/pins/policy.ts';
import type { LearnControl } from '../../src/runtime/control/learning.ts';
import type { StatusAnswer } from '../../src/runtime/control/status.ts';
import { policy } from './policy.ts';
import { verdictEvent } from './verdict-event.ts';

export interface Asked {
  readonly path: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answered {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
}

/** What an engine is made up to say of itself. */
export interface Says {
  readonly policy?: Policy;
  readonly status?: StatusAnswer;
  readonly learning?: LearnControl;
}

export class MadeUpEngine {
  readonly verdicts: RecentVerdicts;
  /** Requests that concern the inbox. */
  readonly asked: Record<string, unknown>[] = [];
  refusal: string | undefined;
  tellRecord: (record: EveRecord) => void = () => {};
  readonly subscriptions: Subscriptions;
  readonly #server: ControlServer;
  readonly #says: Says;

  constructor(path: string, says: Says = {}) {
    this.#says = says;
    const inForce = says.policy ?? policy();
    this.verdicts = new RecentVerdicts(inForce);
    const certificates = new CertificateEntries({ present: presentCertificate, describe: describeCertificate }, 'pins');
    const log = {
      recordOf: (event: VerdictEvent) => toEve(event, { certificates }),
      follow: (follower: (record: EveRecord) => void) => (this.tellRecord = follower),
    } as unknown as CommandHost['log'];
    this.subscriptions = new Subscriptions({ verdicts: this.verdicts, log });
    const daemon = { policy: inForce, list: async () => new Map() };
    const { learning } = says;
    const host = { ...this, log, daemon, learning, configuration: { file: '/etc/tlspin.json', policy: inForce } };
    const rest = answerCommands(host as unknown as CommandHost);
    this.#server = new ControlServer({
      ...{ path, mode: 0o600, binding: loadBinding() },
      answer: async (request, peer) => this.#answer(request) ?? rest(request, peer),
    });
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  async stop(): Promise<void> {
    this.subscriptions.close();
    await this.#server.stop();
  }

  decide(...events: Partial<VerdictEvent>[]): void {
    this.verdicts.take(events.map(verdictEvent), 0);
  }

  #answer(request: Readonly<Record<string, unknown>>): Answer | undefined {
    const { command, action, pinset, host, key } = request;
    const { status } = this.#says;
    if (command === 'status') return { ok: true, status: status ?? { version: '0', health: { state: 'protected' } } };
    if (command !== 'inbox') return undefined;
    if (action === undefined) return { ok: true, answers: [] };
    this.asked.push(request);
    if (this.refusal !== undefined) throw new Error(this.refusal);
    if (request['dry_run'] === true) return { ok: true, dry_run: true, answer: null, accepted: ACCEPTED };
    const of = { entry: idOfRequest(pinset, host, key), answer: action, until: null, by: 'uid 0', comment: null };
    return { ok: true, dry_run: false, answer: { ...of, at: new Date().toISOString() }, accepted: null };
  }
}

export interface ConsoleOptions {
  readonly allowsChanges?: boolean;
  readonly passwordFile?: string;
  readonly rate?: Rate;
  /** The page's folder; a page of one line unless given. */
  readonly page?: string;
}

export class ConsoleStage {
  readonly folder = mkdtempSync(join(tmpdir(), 'tlspin-console-'));
  readonly socket = join(this.folder, 'control.sock');
  engine = new MadeUpEngine(this.socket);
  served!: Served;
  port = 0;
  askServer: AskServer = async () => ({ shown: [], failures: [] });
  fleet: (() => Promise<FleetView>) | undefined;
  askFleet: AskFleet | undefined;
  /** Cookie and CSRF token of who is signed in. */
  cookie = '';
  csrf = '';

  async open({ allowsChanges = true, rate, page = this.#emptyPage(), ...listen }: ConsoleOptions = {}): Promise<void> {
    writeFileSync(join(this.folder, 'secret.txt'), 'secret');
    await this.engine.start();
    // A port that was free a moment ago; the own names have it in them, so that it has to be known.
    for (let attempt = 0; ; attempt++) {
      this.port = 20_000 + Math.floor(Math.random() * 40_000);
      try {
        this.served = await serve({
          listening: listening({ listen: `127.0.0.1:${this.port}`, ...listen }),
          askServer: this.askServer,
          fleet: this.fleet,
          askFleet: this.askFleet,
          ...{ socket: this.socket, allowsChanges, page, rate, version: '0', tokenFile: join(this.folder, 'token') },
        });
        return;
      } catch (error) {
        if (attempt > 10 || !(error as Error).message.includes('EADDRINUSE')) throw error;
      }
    }
  }

  #emptyPage(): string {
    const page = join(this.folder, 'page');
    mkdirSync(page, { recursive: true });
    writeFileSync(join(page, 'index.html'), '<!doctype html><title>page</title>');
    return page;
  }

  async close(): Promise<void> {
    await this.served?.stop();
    await this.engine.stop();
    rmSync(this.folder, { recursive: true });
  }

  get origin(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get token(): string {
    return this.served.link.split('token=')[1]!;
  }

  async signIn(): Promise<void> {
    const { headers } = await this.ask({ path: `/enter?token=${this.token}` });
    this.cookie = String(headers['set-cookie']).split(';')[0]!;
    this.csrf = (JSON.parse((await this.get('/api/session')).text) as { csrf: string }).csrf;
  }

  /** As the page does. */
  get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Answered> {
    return this.ask({ path, headers: { cookie: this.cookie, ...headers } });
  }

  post(
    path: string,
    body: unknown,
    headers: Readonly<Record<string, string>> = {},
    method = 'POST',
  ): Promise<Answered> {
    const usual = { 'content-type': 'application/json', origin: this.origin };
    const signedIn = { cookie: this.cookie, 'x-csrf-token': this.csrf };
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    return this.ask({ path, method, body: text, headers: { ...usual, ...signedIn, ...headers } });
  }

  ask({ path, method = 'GET', headers = {}, body }: Asked): Promise<Answered> {
    return new Promise((resolve, reject) => {
      const request = httpRequest(
        { host: '127.0.0.1', port: this.port, path, method, headers, agent: false },
        (response) => {
          let text = '';
          response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
          response.on('end', () => resolve({ status: response.statusCode!, headers: response.headers, text }));
          response.on('error', reject);
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }
}

const ACCEPTED = {
  ...{ kind: 'list', pin: 'spki-sha256:…', list: 'accepted', file: '/var/lib/tlspin/accepted.list' },
  ...{ pinsets: ['bank'], hosts: ['www.bank.example'], hosts_count: 1, generation: 1, config: 'sha256:00' },
  replay: { replayed: 1, newly_accepted: 1, would_deny: 0 },
};

function idOfRequest(pinset: unknown, host: unknown, key: unknown): string {
  return idOf(String(pinset), String(host), String(key));
}
