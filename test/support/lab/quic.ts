/** Peers that speak QUIC and HTTP/3: ngtcp2's server and client, and Chromium, which falls back to TCP. */
import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import { started } from '../programs.ts';
import type { Lab } from './lab.ts';

const FETCHES = 8;

export async function startQuicServer(lab: Lab, host: string, identity: Identity, port = 443): Promise<void> {
  lab.write('index.html', 'hello over QUIC');
  lab.start(host, [started('gtlsserver'), '-q', '-d', lab.directory, '*', `${port}`, identity.key, identity.cert]);
  await lab.listening(host, port);
}

/** nginx, which tells browsers that QUIC is to be had at the same port, and a page that asks for more, one by one. */
export async function startBrowsedServer(lab: Lab, host: string, identity: Identity): Promise<void> {
  lab.write(
    'browse.html',
    // A page is loaded when its images are; what comes here in their place is none.
    `<pre></pre><script>
       const took = [];
       const next = () => {
         if (took.length === ${FETCHES}) return (document.querySelector('pre').textContent = took.join(' '));
         const began = performance.now();
         const image = new Image();
         image.onload = image.onerror = () => {
           const { nextHopProtocol } = performance.getEntriesByType('resource').at(-1) ?? {};
           took.push(nextHopProtocol + ':' + Math.round(performance.now() - began));
           next();
         };
         image.src = '/index.html?' + took.length;
       };
       next();
     </script>`,
  );
  lab.write('index.html', 'hello over QUIC');
  const config = lab.write(
    'nginx.conf',
    `daemon off; user root; worker_processes 1; pid ${lab.path('nginx.pid')}; error_log stderr notice; events {}
     http { access_log off; types { text/html html; }
       server { listen 443 ssl; ssl_certificate ${identity.cert}; ssl_certificate_key ${identity.key};
         keepalive_requests 2; add_header Alt-Svc 'h3=":443"; ma=3600'; root ${lab.directory}; } }`,
  );
  const child = lab.start(host, [started('nginx'), '-p', lab.directory, '-c', config]);
  await child.says(/start worker process/);
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
    ...['timeout', `${timeout}`, started('gtlsclient'), '--no-quic-dump', '--exit-on-all-streams-close'],
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
export function refusals(lab: Lab, host: string): number {
  const text = lab.shell(
    host,
    "awk '/^Icmp: [0-9]/ { print $5 } /^Icmp6InDestUnreachs/ { print $2 }' /proc/net/snmp /proc/net/snmp6",
  );
  return text.split('\n').reduce((sum, line) => sum + Number(line), 0);
}

export interface Fetched {
  /** RFC 7301 name of the protocol. */
  readonly protocol: string;
  readonly millis: number;
}

/** How Chromium got, one after the other, what the page asks for. */
export async function browseWithChromium(
  lab: Lab,
  host: string,
  request: { address: string; servername: string; spkiSha256: string },
): Promise<Fetched[]> {
  const { address, servername, spkiSha256 } = request;
  const child = lab.start(
    host,
    [
      ...[
        'timeout',
        '40',
        started('chromium'),
        '--headless',
        '--no-sandbox',
        '--disable-gpu',
        '--disable-dev-shm-usage',
      ],
      // Over QUIC it wants a root that it knows, but of hosts one of whose ports is forced to be QUIC's.
      ...[`--origin-to-force-quic-on=${servername}:9`],
      ...[`--user-data-dir=${lab.path('chromium')}`, `--ignore-certificate-errors-spki-list=${spkiSha256}`],
      ...['--disable-background-networking', '--disable-component-update', '--no-first-run'],
      ...[`--host-resolver-rules=MAP ${servername} ${address}`, '--dump-dom'],
      `https://${servername}/browse.html`,
    ],
    { env: { ...process.env, HOME: lab.directory } },
  );
  await child.ended;
  const found = /<pre>(.*)<\/pre>/.exec(child.output)?.[1];
  if (found === undefined) throw new Error(`the browser shows nothing: ${child.output} ${child.errors}`);
  return found.split(' ').map((text) => {
    const [protocol = '', millis] = text.split(':');
    return { protocol, millis: Number(millis) };
  });
}
