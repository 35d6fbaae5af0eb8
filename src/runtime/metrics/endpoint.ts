/**
 * Where Prometheus comes for the metrics: HTTP on an address or a unix socket, GET /metrics and nothing else. What serves
 * it is loaded only where the configuration asks for it. Knows no metric.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';

import type { FlowEvent } from '../../judge/events.ts';
import type { ListenAddress } from '../../pins/policy.ts';
import { clearSocketPath } from '../../source/socket-path.ts';
import type { Overview } from '../control/status.ts';
import type { Metrics } from './metrics.ts';
import type { OnProbed } from './timed-prober.ts';

export interface MetricsEndpointOptions {
  /** Undefined: there is none. */
  readonly listen: ListenAddress | undefined;
  readonly overview: () => Overview;
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class MetricsEndpoint {
  readonly #options: MetricsEndpointOptions;
  #metrics: Metrics | undefined;
  #server: Server | undefined;

  constructor(options: MetricsEndpointOptions) {
    this.#options = options;
  }

  /** Rejects with a sentence where nobody can listen there. */
  async start(): Promise<void> {
    const { listen, say } = this.#options;
    if (listen === undefined || this.#server !== undefined) return;
    if (this.#metrics === undefined) {
      const { Metrics } = await import('./metrics.ts');
      this.#metrics = new Metrics();
    }
    const server = createServer(LIMITS, (request, response) => this.#answer(request, response));
    server.maxConnections = CLIENTS;
    await open(server, listen);
    server.on('error', () => {}); // an accept that fails, such as EMFILE, concerns one client
    this.#server = server;
    say(`metrics at ${textOf(listen)}`);
  }

  /** Somebody else may listen there now. */
  stop(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
    this.#server = undefined;
  }

  readonly take = (events: readonly FlowEvent[]): void => this.#metrics?.take(events);

  readonly takeProbe: OnProbed = (outcome, millis) => this.#metrics?.takeProbe(outcome, millis);

  #answer({ method, url }: IncomingMessage, response: ServerResponse): void {
    if (method !== 'GET' && method !== 'HEAD') return end(response, 405, 'only GET\n');
    if (url?.split('?')[0] !== '/metrics') return end(response, 404, 'the metrics are at /metrics\n');
    const metrics = this.#metrics!;
    metrics.text(this.#options.overview()).then(
      (text) => end(response, 200, text, metrics.contentType),
      (error: unknown) => end(response, 500, `${String(error)}\n`),
    );
  }
}

async function open(server: Server, listen: ListenAddress): Promise<void> {
  const where = textOf(listen);
  if ('path' in listen) await clearSocketPath(listen.path, 'metrics socket');
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const cure = CURES[cause.code ?? ''] ?? '';
      reject(new Error(`metrics ${where}: cannot listen there (${cause.code})${cure}`, { cause }));
    });
    // A socket is made before `listen` returns, and is never anybody's, not even for the moment before a chmod.
    const before = process.umask(0o777 & ~SOCKET_MODE);
    server.listen(listen, resolve);
    process.umask(before);
  });
}

function textOf(listen: ListenAddress): string {
  if ('path' in listen) return listen.path;
  const { host, port } = listen;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}/metrics`;
}

function end(response: ServerResponse, status: number, text: string, type = 'text/plain; charset=utf-8'): void {
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

const LIMITS = { requestTimeout: 5_000, headersTimeout: 5_000, keepAliveTimeout: 65_000, maxHeaderSize: 8_192 };
/** At a time; others are turned away. */
const CLIENTS = 16;
const SOCKET_MODE = 0o660;
const CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: ': somebody listens there already: stop it, or choose another port',
  EADDRNOTAVAIL: ': this machine has no such address',
  EACCES: ': the user that tlspin runs as may not; choose a port above 1023, or a folder that it may write to',
};
