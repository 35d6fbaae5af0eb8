/** The console as a process serves it: the token, the listening socket, and the end of both. */
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { fileURLToPath } from 'node:url';

import { createAdaptorServer } from '@hono/node-server';

import type { FleetView } from './api.ts';
import { consoleApp } from './app.ts';
import { cookieName } from './guard.ts';
import type { AskFleet } from './elsewhere.ts';
import { Connections } from './connections.ts';
import { Console } from './console.ts';
import type { AskServer } from './evidence.ts';
import type { Listening } from './listen.ts';
import { Page } from './page.ts';
import { newSecret, type Rate, Sessions } from './sessions.ts';
import { defaultTokenFile, TokenFile } from './token-file.ts';

export interface ServeOptions {
  readonly listening: Listening;
  /** The control socket. */
  readonly socket: string;
  readonly allowsChanges: boolean;
  readonly tokenFile?: string | undefined;
  readonly version: string;
  readonly askServer: AskServer;
  /** Where gateways of a fleet tell each other what they decide. */
  readonly askFleet?: AskFleet | undefined;
  /** Where a fleet is configured; rejects with a sentence. */
  readonly fleet?: (() => Promise<FleetView>) | undefined;
  /** Where the page's files are; beside this program unless given. */
  readonly page?: string | undefined;
  /** How often a session may ask, and whoever has none, by address. */
  readonly rate?: Rate | undefined;
}

export interface Served {
  readonly url: string;
  /** The link that signs in. */
  readonly link: string;
  readonly tokenFile: string;
  readonly console: Console;
  stop(): Promise<void>;
}

/** Rejects with a sentence, with nothing left of it. */
export async function serve(options: ServeOptions): Promise<Served> {
  const { listening, socket, allowsChanges, version } = options;
  const page = new Page(options.page ?? PAGE);
  const token = newSecret();
  const console = new Console(socket, options.askServer, options.askFleet);
  const sessions = new Sessions({ token, password: listening.password });
  const isTls = listening.tls !== null;
  const { rate = RATE } = options;
  const cookie = cookieName(isTls, listening.port);
  const connections = new Connections(CONNECTIONS);
  const guard = { sessions, isTls, cookie, rate, isOwn: listening.isOwn, connections };
  const app = consoleApp({ ...guard, console, page, version, allowsChanges, fleet: options.fleet });
  const server = serverFor(listening, app.fetch);
  connections.watch(server, isTls ? 'secureConnection' : 'connection');
  await open(server, listening);
  let tokenFile: TokenFile;
  try {
    tokenFile = new TokenFile(options.tokenFile ?? defaultTokenFile(listening.port), token);
  } catch (error) {
    server.close();
    throw error;
  }
  await console.start();
  return {
    url: listening.url,
    link: `${listening.url}/enter?token=${token}`,
    tokenFile: tokenFile.path,
    console,
    stop: async () => {
      tokenFile.remove();
      console.stop();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
    },
  };
}

function serverFor({ tls, host }: Listening, fetch: (request: Request, env: never) => Response | Promise<Response>) {
  const common = { fetch: fetch as Parameters<typeof createAdaptorServer>[0]['fetch'], hostname: host };
  const options = { ...common, overrideGlobalObjects: false };
  const made =
    tls === null
      ? createAdaptorServer({ ...options, createServer, serverOptions: LIMITS })
      : createAdaptorServer({ ...options, createServer: createTlsServer, serverOptions: { ...LIMITS, ...tls } });
  return made as Server;
}

async function open(server: Server, { host, port, url }: Listening): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const cure = CURES[cause.code ?? ''] ?? '';
      reject(new Error(`${url}: cannot listen there (${cause.code})${cure}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
  server.on('error', () => {}); // an accept that fails, such as EMFILE, concerns one browser
}

/** What `npm run build` has made of web/. */
const PAGE = fileURLToPath(new URL('../page', import.meta.url));
const LIMITS = {
  ...{ requestTimeout: 10_000, headersTimeout: 10_000, handshakeTimeout: 10_000 },
  ...{ keepAliveTimeout: 65_000, maxHeaderSize: 16_384 },
};
const CONNECTIONS = 256;
const RATE: Rate = { perSecond: 50, burst: 200 };
const CURES: Readonly<Record<string, string>> = {
  EADDRINUSE: ': somebody listens there already: choose another port with --listen',
  EADDRNOTAVAIL: ': this machine has no such address',
  EACCES: ': choose a port above 1023',
};
