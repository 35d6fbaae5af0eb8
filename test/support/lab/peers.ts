/** Ordinary servers and clients for the lab: Node, openssl, curl, Go. Each client says what it got in the same words. */
import { fileURLToPath } from 'node:url';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { goProgram } from './go.ts';
import type { Lab } from './lab.ts';

export interface TlsServerOptions {
  readonly identity: Identity;
  readonly port?: number;
  /** Octets of the body that answers a request. */
  readonly body?: number;
  readonly minVersion?: string;
  readonly maxVersion?: string;
  readonly ciphers?: string;
  readonly [option: string]: unknown;
}

/** Node's TLS server; TLS 1.2 unless told. */
export async function startTlsServer(lab: Lab, host: string, options: TlsServerOptions): Promise<Child> {
  const { identity, port = 443, maxVersion = 'TLSv1.2', ...rest } = options;
  const argument = JSON.stringify({ ...identity, ...rest, port, maxVersion });
  const child = lab.start(host, [process.execPath, peer('tls-server.mjs'), argument]);
  await child.says(/listening/);
  return child;
}

export interface Request {
  readonly host: string;
  readonly port?: number;
  readonly servername?: string;
  readonly ca: string;
  /** Milliseconds until it gives up. */
  readonly timeout?: number;
  /** File that it logs its secrets to. */
  readonly keylog?: string;
  /** Further arguments of a program that takes some. */
  readonly args?: readonly string[];
  readonly [option: string]: unknown;
}

export interface Outcome {
  /** The tool's own word for what went wrong; null when the whole answer came. */
  readonly error: string | null;
  /** Octets of the answer that the application got. */
  readonly bytes: number;
  readonly millis: number;
}

export interface NodeOutcome extends Outcome {
  readonly protocol: string | null;
  readonly resumed: boolean;
  /** Octets that came over the wire, where they are to be counted. */
  readonly octets?: number;
}

/** Node's client; several requests one after the other offer the last session. */
export async function requestWithNode(lab: Lab, host: string, request: Request): Promise<NodeOutcome[]> {
  const argument = JSON.stringify({ port: 443, ...request });
  return outcomesOf(lab.start(host, [process.execPath, peer('tls-client.mjs'), argument]));
}

/** Go's client; several requests offer the last session too. */
export async function requestWithGo(lab: Lab, host: string, request: Request): Promise<NodeOutcome[]> {
  return outcomesOf(lab.start(host, [goProgram('tls-client'), JSON.stringify({ port: 443, ...request })]));
}

async function outcomesOf(child: Child): Promise<NodeOutcome[]> {
  await child.ended;
  const lines = child.output.split('\n').filter((line) => line !== '');
  if (lines.length === 0) throw new Error(`the client said nothing: ${child.errors}`);
  return lines.map((line) => JSON.parse(line) as NodeOutcome);
}

export async function requestWithCurl(lab: Lab, host: string, request: Request): Promise<Outcome> {
  const { port = 443, servername = 'localhost', timeout = 10_000, keylog, args = [] } = request;
  const address = request.host.includes(':') ? `[${request.host}]` : request.host;
  const began = performance.now();
  const child = lab.start(
    host,
    [
      'curl',
      ...['--silent', '--show-error', '--output', '-', '--cacert', request.ca, '--max-time', `${timeout / 1000}`],
      ...['--connect-to', `${servername}:${port}:${address}:${port}`, `https://${servername}:${port}/`],
      ...args,
    ],
    keylog === undefined ? {} : { env: { SSLKEYLOGFILE: keylog } },
  );
  const { code } = await child.ended;
  const millis = Math.round(performance.now() - began);
  return { error: code === 0 ? null : child.errors.trim(), bytes: child.output.length, millis };
}

export async function requestWithOpenssl(lab: Lab, host: string, request: Request): Promise<Outcome> {
  const { port = 443, servername, timeout = 10_000, keylog, args = [] } = request;
  const address = request.host.includes(':') ? `[${request.host}]` : request.host;
  const began = performance.now();
  const child = lab.start(
    host,
    [
      ...['timeout', `${timeout / 1000}`, 'openssl', 's_client', '-connect', `${address}:${port}`],
      ...['-CAfile', request.ca, '-verify_return_error', '-quiet'],
      ...(servername === undefined ? ['-noservername'] : ['-servername', servername]),
      ...(keylog === undefined ? [] : ['-keylogfile', keylog]),
      ...args,
    ],
    { input: 'GET / HTTP/1.0\r\n\r\n' },
  );
  const { code } = await child.ended;
  const millis = Math.round(performance.now() - began);
  const error = code === 124 ? 'TIMEOUT' : child.errors.split('\n').find((line) => /error|alert|reset/i.test(line));
  return { error: code === 0 ? null : (error ?? `exit ${code}`), bytes: child.output.length, millis };
}

/** Node's client, as many as there are `clients`, at the same time; their outcomes in the same order. */
export async function storm(
  lab: Lab,
  host: string,
  request: { host: string; port: number; servername: string; clients: readonly object[]; timeout?: number },
): Promise<Outcome[]> {
  const child = lab.start(host, [process.execPath, peer('tls-storm.mjs'), JSON.stringify(request)]);
  await child.ended;
  if (child.output === '') throw new Error(`the clients said nothing: ${child.errors}`);
  return JSON.parse(child.output) as Outcome[];
}

export interface TcpOutcome {
  /** `fin`, `silence`, `timeout` or the socket's error code. */
  readonly end: string;
  readonly received: Buffer;
  readonly millis: number;
}

/** A TCP client that believes nothing and tells what arrived. */
export class TcpClient {
  readonly #child: Child;

  constructor(
    lab: Lab,
    host: string,
    options: { host: string; port?: number; localPort?: number; send?: Uint8Array; wait?: number; timeout?: number },
  ) {
    const argument = { port: 443, ...options, send: Buffer.from(options.send ?? []).toString('hex') };
    this.#child = lab.start(host, [process.execPath, peer('tcp-client.mjs'), JSON.stringify(argument)]);
  }

  async connected(): Promise<void> {
    await this.#child.says(/connected/);
  }

  send(data: Uint8Array): void {
    this.#child.write(`${Buffer.from(data).toString('hex')}\n`);
  }

  async outcome(): Promise<TcpOutcome> {
    await this.#child.ended;
    const line = this.#child.output.split('\n').find((text) => text.startsWith('{'));
    if (line === undefined) throw new Error(`the client said nothing: ${this.#child.errors}`);
    const { end, received, millis } = JSON.parse(line) as { end: string; received: string; millis: number };
    return { end, received: Buffer.from(received, 'hex'), millis };
  }
}

/** The path of a program of peers/. */
export function peer(name: string): string {
  return fileURLToPath(new URL(`../peers/${name}`, import.meta.url));
}
