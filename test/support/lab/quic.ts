/** Peers that speak QUIC and HTTP/3: ngtcp2's server and client, and Chromium, which falls back to TCP. */
import { existsSync } from 'node:fs';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import type { Lab } from './lab.ts';

const SERVER = '/usr/sbin/gtlsserver';
const CLIENT = '/usr/bin/gtlsclient';
const CHROMIUM = '/usr/bin/chromium';

/** Of Debian's packages ngtcp2-client, ngtcp2-server and chromium. */
export const hasQuicPeers = existsSync(SERVER) && existsSync(CLIENT);
export const hasChromium = existsSync(CHROMIUM);

export async function startQuicServer(lab: Lab, host: string, identity: Identity, port = 443): Promise<void> {
  lab.write('index.html', 'hello over QUIC');
  lab.start(host, [SERVER, '-q', '-d', lab.directory, '*', `${port}`, identity.key, identity.cert]);
  await lab.listening(host, port);
}

export interface QuicRequest {
  readonly address: string;
  readonly servername: string;
  readonly port?: number;
  readonly args?: readonly string[];
  /** Seconds until it gives up. */
  readonly timeout?: number;
}

export interface QuicOutcome {
  readonly answered: boolean;
  /** Milliseconds until the client was told that nobody is there; null when it was not. */
  readonly refusedAfter: number | null;
  readonly output: string;
}

export async function requestWithQuic(lab: Lab, host: string, request: QuicRequest): Promise<QuicOutcome> {
  const { address, servername, port = 443, args = [], timeout = 5 } = request;
  const before = refusals(lab, host);
  const began = performance.now();
  const hosts = lab.write('hosts', `${address} ${servername}\n`);
  const child = lab.start(host, [
    // It asks for the name that it looks up, and for no other.
    ...['unshare', '--mount', 'sh', '-euc', `mount --bind ${hosts} /etc/hosts; exec "$@"`, 'sh'],
    ...['timeout', `${timeout}`, CLIENT, '--no-quic-dump', '--exit-on-all-streams-close'],
    ...[...args, servername, `${port}`, `https://${servername}:${port}/`],
  ]);
  let refusedAfter: number | null = null;
  let isOver = false;
  void child.ended.then(() => (isOver = true));
  while (!isOver && refusedAfter === null) {
    if (refusals(lab, host) > before) refusedAfter = Math.round(performance.now() - began);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  if (!isOver) await child.stop();
  const output = child.output + child.errors;
  return { answered: output.includes('hello over QUIC'), refusedAfter, output };
}

/** How often the host was told that a port is unreachable (RFC 792, RFC 4443); ngtcp2's client does not say so. */
function refusals(lab: Lab, host: string): number {
  const text = lab.shell(
    host,
    "awk '/^Icmp: [0-9]/ { print $5 } /^Icmp6InDestUnreachs/ { print $2 }' /proc/net/snmp /proc/net/snmp6",
  );
  return text.split('\n').reduce((sum, line) => sum + Number(line), 0);
}

/** Protocols (RFC 7301 names) by which Chromium got a page and, one after the other, what the page asked for. */
export async function browseWithChromium(lab: Lab, host: string, address: string, name: string): Promise<string[]> {
  const child = lab.start(
    host,
    [
      ...['timeout', '40', CHROMIUM, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
      ...[`--user-data-dir=${lab.path('chromium')}`, '--ignore-certificate-errors', '--enable-quic'],
      ...['--disable-background-networking', '--disable-component-update', '--no-first-run'],
      ...[`--host-resolver-rules=MAP ${name} ${address}`, '--virtual-time-budget=20000', '--dump-dom'],
      `https://${name}/browse.html`,
    ],
    { env: { ...process.env, HOME: lab.directory } },
  );
  await child.ended;
  const found = /<pre>(.*)<\/pre>/.exec(child.output)?.[1];
  if (found === undefined) throw new Error(`the browser shows nothing: ${child.output} ${child.errors}`);
  return found.split(' ');
}
