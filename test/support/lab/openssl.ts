/** OpenSSL's own server and client, with whatever old versions, suites and keys they still have, and nginx. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { started } from '../programs.ts';
import type { Lab } from './lab.ts';
import { peer } from './peers.ts';

/** A certificate of its own signature; `key` as in `openssl req -newkey`, with options behind it. */
export function selfSigned(directory: string, name: string, host: string, key: readonly string[]): Identity {
  const identity = { cert: join(directory, `${name}.pem`), key: join(directory, `${name}.key`) };
  const subject = ['-subj', `/CN=${host}`, '-addext', `subjectAltName=DNS:${host}`, '-days', '30'];
  openssl('req', '-x509', '-nodes', '-newkey', ...key, ...subject, '-keyout', identity.key, '-out', identity.cert);
  return identity;
}

/** DSA wants its parameters made first. */
export function selfSignedDsa(directory: string, name: string, host: string): Identity {
  const parameters = join(directory, `${name}.parameters`);
  openssl('genpkey', '-genparam', '-algorithm', 'DSA', '-pkeyopt', 'dsa_paramgen_bits:1024', '-out', parameters);
  return selfSigned(directory, name, host, [`dsa:${parameters}`]);
}

/**
 * `openssl s_server`, which answers a request with a page about the connection, or (`page` is false) shows what it gets;
 * `chain`: what it sends besides the leaf.
 */
export async function startOpensslServer(
  lab: Lab,
  host: string,
  options: { identity: Identity; chain?: string; port?: number; page?: boolean; args?: readonly string[] },
): Promise<Child> {
  const { identity, chain, port = 443, page = true, args = [] } = options;
  const child = lab.start(host, [
    ...['openssl', 's_server', '-accept', `${port}`, '-cert', identity.cert, '-key', identity.key],
    ...(page ? ['-www'] : []),
    ...(chain === undefined ? [] : ['-cert_chain', chain]),
    ...args,
  ]);
  await child.says(/ACCEPT/);
  return child;
}

/** Serves so many connections at a time, each from its beginning to its end. */
export async function startBlockingServer(
  lab: Lab,
  host: string,
  options: { identity: Identity; workers: number; version?: 4 | 6; port?: number },
): Promise<Child> {
  const { identity, workers, version = 4, port = 443 } = options;
  const { cert, key } = identity;
  const server = ['python3', peer('blocking-server.py'), version === 4 ? '0.0.0.0' : '::', `${port}`, `${workers}`];
  const child = lab.start(host, [...server, cert, key]);
  await child.says(/listening/);
  return child;
}

export interface ClientRun {
  /** Whether the server's answer arrived. */
  readonly answered: boolean;
  readonly resumed: boolean;
  /** Of `resumed`, one a connection where there are several. */
  readonly connections: readonly ('New' | 'Reused')[];
  /** All that it said. */
  readonly text: string;
}

/** `openssl s_client`, which trusts every certificate here: what stops it is not its own validation. */
export async function runOpensslClient(
  lab: Lab,
  host: string,
  options: { address: string; port?: number; servername: string; args?: readonly string[] },
): Promise<ClientRun> {
  const { address, port = 443, servername, args = [] } = options;
  const target = `${address.includes(':') ? `[${address}]` : address}:${port}`;
  const child = lab.start(
    host,
    ['timeout', '10', 'openssl', 's_client', '-connect', target, '-servername', servername, '-ign_eof', ...args],
    { input: 'GET / HTTP/1.0\r\n\r\n' },
  );
  await child.ended;
  const text = child.output + child.errors;
  // The server's page says it once more.
  const [own = ''] = child.output.split('HTTP/1.0 200');
  const connections = [...own.matchAll(/^(New|Reused), /gm)].map(([, kind]) => kind as 'New' | 'Reused');
  return {
    answered: child.output.includes('HTTP/1.0 200'),
    resumed: connections.length > 0 && connections.every((kind) => kind === 'Reused'),
    connections,
    text,
  };
}

/** nginx with one host; `identity.cert` may be a chain. TLS 1.2 unless told. */
export async function startNginx(
  lab: Lab,
  host: string,
  identity: Identity,
  { port = 443, protocols = 'TLSv1.2' }: { port?: number; protocols?: string } = {},
): Promise<void> {
  const config = lab.write(
    'nginx.conf',
    `daemon off; worker_processes 1; pid ${lab.path('nginx.pid')}; error_log stderr notice; events {}
     http { access_log off;
       server { listen ${port} ssl; listen [::]:${port} ssl; ssl_protocols ${protocols}; ssl_certificate ${identity.cert}; ssl_certificate_key ${identity.key};
         location / { return 200 "hello"; } } }`,
  );
  const child = lab.start(host, [started('nginx'), '-p', lab.directory, '-c', config]);
  await child.says(/start worker process/);
}

export interface ImpostorOptions {
  /** PEM chain that is shown, and the key that signs. */
  readonly cert: string;
  readonly key: string;
  /** As on the wire; TLS 1.2 with ECDHE-RSA and RSA PKCS #1 with SHA-256 unless told. */
  readonly version?: number;
  readonly scheme?: number;
  readonly suite?: number;
  /** Signs other randoms than those of the connection. */
  readonly stale?: boolean;
}

/** A server that shows a certificate and signs its key exchange with whatever key it is given. */
export async function startImpostor(lab: Lab, host: string, options: ImpostorOptions): Promise<Child> {
  const script = fileURLToPath(new URL('../peers/impostor-server.mjs', import.meta.url));
  const child = lab.start(host, [process.execPath, script, JSON.stringify({ port: 443, ...options })]);
  await child.says(/listening/);
  return child;
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}
