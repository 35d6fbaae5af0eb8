/** Probes on the wire: real servers, and servers that are slow, silent or gone, in the namespace of this test run. */
import { execFileSync, spawnSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import type { ProbeAnswer } from '../../src/judge/ports.ts';
import { type Mirror, mirrorOf } from '../../src/probe/mirror.ts';
import { MirrorProber, type MirrorProberOptions } from '../../src/probe/prober.ts';
import { CertificateShop, type Identity } from '../../src/runtime/demo/certificates.ts';
import { Child } from '../../src/runtime/demo/child.ts';
import { loadBinding } from '../../src/source/binding.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { lacks, started } from '../support/programs.ts';

const NAME = 'www.bank.example';
const limits = { handshakeBytes: 262_144, records: 256, certificates: 16 };
const directory = mkdtempSync(join(tmpdir(), 'tlspin-prober-'));
const children: Child[] = [];
const servers: Server[] = [];
let rsa: Identity;
let ec: Identity;
let hello: Buffer;
let ports = 20_000;

beforeAll(async () => {
  const shop = new CertificateShop(directory);
  const issuer = shop.authority('authority');
  const issue = (key: 'rsa' | 'p-256'): Identity => {
    const leaf = shop.leaf(key, { issuer, names: [NAME], key });
    return { cert: shop.chain(key, leaf.cert, issuer.cert), key: leaf.key };
  };
  [rsa, ec] = [issue('rsa'), issue('p-256')];
  hello = await clientHelloOf({ servername: NAME });
});

afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop('SIGKILL')));
  for (const server of servers.splice(0)) server.close();
});

afterAll(() => rmSync(directory, { recursive: true }));

async function start(program: string, args: readonly string[], says: RegExp): Promise<void> {
  const child = new Child(program, args);
  children.push(child);
  await child.says(says);
}

async function openssl(...args: readonly string[]): Promise<number> {
  const port = ports++;
  await start('openssl', ['s_server', '-accept', `${port}`, '-www', ...args], /ACCEPT/);
  return port;
}

const identityOf = ({ cert, key }: Identity) => ['-cert', cert, '-key', key];
const second = ({ cert, key }: Identity) => ['-dcert', cert, '-dkey', key];

/** A server of octets. */
async function listen(onSocket: (socket: Socket) => void, host = '127.0.0.1'): Promise<number> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    onSocket(socket);
  });
  servers.push(server);
  const port = ports++;
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  return port;
}

interface Ask extends Partial<MirrorProberOptions> {
  readonly address?: readonly number[];
  readonly clientHello?: Buffer;
}

function probe(
  port: number,
  { address = [127, 0, 0, 1], clientHello = hello, ...options }: Ask = {},
): Promise<ProbeAnswer> {
  const prober = new MirrorProber({ limits, allowLocal: true, ...options });
  const request = {
    server: { address: Uint8Array.from(address), port },
    client: { address: Uint8Array.of(10, 0, 0, 1), port: 40_000 },
    clientHello,
    recordVersion: 0x0301,
    starttls: null,
    tunnels: [],
    patience: 0,
  };
  return new Promise((resolve) => prober.probe(request, resolve));
}

/** What was shown, by the name of the key. */
function seen(answer: ProbeAnswer): object {
  if (answer.kind === 'failed') return answer;
  const { version, proven, chain } = answer;
  const names = { rsa, ec };
  const isLeaf = ({ cert }: Identity) => Buffer.compare(new X509Certificate(readFileSync(cert)).raw, chain[0]!) === 0;
  return { version, proven, leaf: (['rsa', 'ec'] as const).find((name) => isLeaf(names[name])) };
}

/** Body of the ClientHello that a program sends to a port of this host. */
async function helloOf(program: string, args: (port: number) => string[]): Promise<Buffer> {
  return new Promise((resolve) => {
    void listen((socket) => {
      socket.once('data', (bytes) => {
        socket.destroy();
        resolve(bytes.subarray(9, 5 + bytes.readUInt16BE(3)));
      });
    }).then((port) => children.push(new Child(program, args(port), { input: '' })));
  });
}

/** The same of OpenSSL, which offers a session that the server at `port` has given it. */
async function resumingHello(version: '-tls1_3' | '-tls1_2', port: number): Promise<Buffer> {
  const session = join(directory, `session${version}-${port}`);
  const args = ['s_client', version, '-servername', NAME];
  const get = { input: 'GET / HTTP/1.0\r\n\r\n' };
  spawnSync('openssl', [...args, '-ign_eof', '-sess_out', session, '-connect', `127.0.0.1:${port}`], get);
  return helloOf('openssl', (at) => [...args, '-sess_in', session, '-connect', `127.0.0.1:${at}`]);
}

describe('openssl s_server', () => {
  it.each<[string, number, string[]]>([
    ['of TLS 1.3', 0x0304, []],
    ['of TLS 1.2', 0x0303, ['-tls1_2']],
    ['that asks for another group', 0x0304, ['-groups', 'P-384']],
    ['that requires a client’s certificate', 0x0304, ['-Verify', '2']],
    ['that requires one, of TLS 1.2', 0x0303, ['-Verify', '2', '-tls1_2']],
    ['that pads its records', 0x0304, ['-record_padding', '512']],
    ['that cuts its records', 0x0304, ['-max_send_frag', '512']],
    ['without middlebox compatibility', 0x0304, ['-no_middlebox']],
  ])('%s', async (_, version, args) => {
    expect(seen(await probe(await openssl(...identityOf(rsa), ...args)))).toEqual({
      version: version,
      proven: true,
      leaf: 'rsa',
    });
  });

  it.each([
    ['rsa', 'rsa_pss_rsae_sha256'],
    ['ec', 'ecdsa_secp256r1_sha256'],
  ])('with two certificates shows what a client that only knows %s would get', async (leaf, sigalgs) => {
    const port = await openssl(...identityOf(rsa), ...second(ec));
    const clientHello = await clientHelloOf({ servername: NAME, sigalgs });
    expect(seen(await probe(port, { clientHello }))).toEqual({ version: 0x0304, proven: true, leaf });
  });

  it('over IPv6', async () => {
    const port = await openssl(...identityOf(ec), '-6');
    const address = [...Array(15).fill(0), 1];
    expect(seen(await probe(port, { address }))).toEqual({ version: 0x0304, proven: true, leaf: 'ec' });
  });
});

describe('other servers', () => {
  it.skipIf(lacks('nginx'))('nginx, with the session tickets and the hellos of two programs', async () => {
    const port = ports++;
    const config = join(directory, 'nginx.conf');
    writeFileSync(
      config,
      `daemon off; user root; pid ${directory}/nginx.pid; error_log ${directory}/nginx.log info;
      events {}
      http { access_log off; client_body_temp_path ${directory}/b; proxy_temp_path ${directory}/p;
        fastcgi_temp_path ${directory}/f; uwsgi_temp_path ${directory}/u; scgi_temp_path ${directory}/s;
        server { listen 127.0.0.1:${port} ssl; server_name ${NAME}; ssl_protocols TLSv1.2 TLSv1.3;
          ssl_certificate ${rsa.cert}; ssl_certificate_key ${rsa.key};
          ssl_certificate ${ec.cert}; ssl_certificate_key ${ec.key}; } }`,
    );
    children.push(new Child(started('nginx'), ['-c', config]));
    await expect
      .poll(() => spawnSync('openssl', ['s_client', '-connect', `127.0.0.1:${port}`], { input: '' }).status, {
        timeout: 10_000,
      })
      .toBe(0);
    const byCurl = await helloOf('curl', (at) => ['-sk', '--connect-to', `::127.0.0.1:${at}`, `https://${NAME}/`]);
    const byOpenssl = await helloOf('openssl', (at) => [
      's_client',
      '-servername',
      NAME,
      '-connect',
      `127.0.0.1:${at}`,
    ]);
    const resuming = await resumingHello('-tls1_3', port);
    for (const clientHello of [byCurl, byOpenssl, hello, resuming]) {
      expect(seen(await probe(port, { clientHello }))).toEqual({ version: 0x0304, proven: true, leaf: 'ec' });
    }
    const resuming12 = { clientHello: await resumingHello('-tls1_2', port) };
    expect(seen(await probe(port, resuming12))).toEqual({ version: 0x0303, proven: true, leaf: 'ec' });
    // Most are to it as clients that have nothing to ask, once their handshake is over.
    for (let times = 0; times < 12; times++) await probe(port);
    const log = () => readFileSync(join(directory, 'nginx.log'), 'utf8');
    await expect
      .poll(() => log().match(/while waiting for request|peer closed connection in SSL handshake/g)?.length)
      .toBeGreaterThan(12);
    expect(log()).toMatch(/\[info\].*client closed connection while waiting for request/);
    expect(log()).not.toMatch(/\[(warn|error|crit|alert|emerg)\]/);
  });

  it.skipIf(lacks('go'))(
    'Go',
    async () => {
      const program = join(directory, 'tls-server');
      const source = fileURLToPath(new URL('../support/peers/tls-server.go', import.meta.url));
      execFileSync(started('go'), ['build', '-o', program, source], { stdio: 'pipe' });
      const port = ports++;
      await start(program, [`127.0.0.1:${port}`, ec.cert, ec.key], /listening/);
      expect(seen(await probe(port))).toEqual({ version: 0x0304, proven: true, leaf: 'ec' });
      const resuming = { clientHello: await resumingHello('-tls1_3', port) };
      expect(seen(await probe(port, resuming))).toEqual({ version: 0x0304, proven: true, leaf: 'ec' });
    },
    120_000,
  );
});

describe('a client that connects again asks the same', () => {
  const digestOf = (clientHello: Uint8Array) => (mirrorOf(clientHello) as Mirror).digest;

  it.each<[string, string, (port: number) => string[]]>([
    ['OpenSSL', 'openssl', (at) => ['s_client', '-servername', NAME, '-connect', `127.0.0.1:${at}`]],
    ['curl', 'curl', (at) => ['-sk', '--connect-to', `::127.0.0.1:${at}`, `https://${NAME}/`]],
  ])('%s', async (_, program, args) => {
    const [first, again] = [await helloOf(program, args), await helloOf(program, args)];
    expect(first).not.toEqual(again);
    expect(digestOf(first)).toBe(digestOf(again));
  });

  it('Node', async () => {
    expect(digestOf(await clientHelloOf({ servername: NAME }))).toBe(digestOf(hello));
  });

  it.each(['-tls1_3', '-tls1_2'] as const)('OpenSSL with a session of %s', async (version) => {
    const port = await openssl(...identityOf(ec));
    const again = await resumingHello(version, port);
    const args = ['s_client', version, '-servername', NAME];
    const first = await helloOf('openssl', (at) => [...args, '-connect', `127.0.0.1:${at}`]);
    const resumes = (mirrorOf(again) as Mirror).hello;
    expect(resumes.offersPsk || (resumes.sessionTicket?.length ?? 0) > 0).toBe(true);
    expect(digestOf(first)).toBe(digestOf(again));
    // The server does not know the session that a probe names in its place.
    expect(seen(await probe(port, { clientHello: again }))).toMatchObject({ proven: true, leaf: 'ec' });
  });

  it.skipIf(lacks('go'))(
    'Go',
    async () => {
      const source = join(directory, 'client.go');
      writeFileSync(
        source,
        `package main
import ("crypto/tls"; "os")
func main() { tls.Dial("tcp", "127.0.0.1:" + os.Args[1], &tls.Config{ServerName: "${NAME}", NextProtos: []string{"h2"}}) }`,
      );
      const program = join(directory, 'client');
      execFileSync(started('go'), ['build', '-o', program, source], { stdio: 'pipe' });
      const [first, again] = [await helloOf(program, (at) => [`${at}`]), await helloOf(program, (at) => [`${at}`])];
      expect(digestOf(first)).toBe(digestOf(again));
    },
    120_000,
  );
});

describe('servers in trouble', () => {
  const failed = (reason: string, detail: unknown) => ({ kind: 'failed', reason, detail });
  /** What an OpenSSL server sends, at a pace. */
  async function relay(onAnswer: (client: Socket, bytes: Buffer) => void): Promise<number> {
    const { connect } = await import('node:net');
    const behind = await openssl(...identityOf(rsa));
    return listen((client) => {
      const server = connect(behind, '127.0.0.1');
      server.on('error', () => {}).on('data', (bytes) => onAnswer(client, bytes));
      client.on('data', (bytes) => server.write(bytes)).on('close', () => server.destroy());
    });
  }

  it('slow: what comes in time counts', async () => {
    const port = await relay((client, bytes) => void setTimeout(() => client.write(bytes), 400));
    expect(seen(await probe(port))).toEqual({ version: 0x0304, proven: true, leaf: 'rsa' });
  });

  it('octet by octet', async () => {
    const port = await relay((client, bytes) => {
      client.setNoDelay(true);
      for (const octet of bytes) client.write(Uint8Array.of(octet));
    });
    expect(seen(await probe(port))).toEqual({ version: 0x0304, proven: true, leaf: 'rsa' });
  });

  it('too slow: an end at the deadline', async () => {
    const port = await relay((client, bytes) => void setTimeout(() => client.write(bytes), 1000));
    const began = performance.now();
    expect(await probe(port, { timeout: 500 })).toMatchObject(failed('timeout', 'handshake'));
    expect(performance.now() - began).toBeLessThan(900);
  });

  it('silent', async () => {
    const port = await listen(() => {});
    expect(await probe(port, { timeout: 300 })).toMatchObject(failed('timeout', 'handshake'));
  });

  it('closing', async () => {
    expect(await probe(await listen((socket) => socket.end()))).toMatchObject(failed('closed', expect.anything()));
  });

  it('resetting', async () => {
    const port = await listen((socket) => void socket.once('data', () => socket.resetAndDestroy()));
    expect(await probe(port)).toMatchObject(failed('closed', 'ECONNRESET'));
  });

  it('not there', async () => {
    expect(await probe(ports++)).toMatchObject(failed('unreachable', 'ECONNREFUSED'));
  });

  it('unreachable', async () => {
    const port = ports++;
    execFileSync('iptables', ['-A', 'INPUT', '-p', 'tcp', '--dport', `${port}`, '-j', 'DROP']);
    expect(await probe(port, { timeout: 400 })).toMatchObject(failed('timeout', 'connect'));
  });

  it('answering something else', async () => {
    const port = await listen((socket) => void socket.write('220 mail.example ESMTP\r\n'));
    expect(await probe(port)).toMatchObject({ kind: 'failed', reason: 'protocol' });
  });
});

describe('the mark', () => {
  it.each([
    ['IPv4', 'iptables', [127, 0, 0, 1], '127.0.0.1'],
    ['IPv6', 'ip6tables', [...Array(15).fill(0), 1], '::1'],
  ])('is on every packet of a probe, from its SYN on: %s', async (_, iptables, address, host) => {
    const value = 0x1000_0000;
    const port = await listen((socket) => socket.end(), host);
    const count = (...match: string[]) =>
      execFileSync(iptables, ['-A', 'OUTPUT', '-p', 'tcp', '--dport', `${port}`, '-m', 'mark', ...match]);
    count('--mark', `${value}`);
    count('!', '--mark', `${value}`);
    const { setMark } = loadBinding();
    const answer = await probe(port, { address, mark: { value, set: setMark } });
    expect(answer).toMatchObject({ kind: 'failed', reason: 'closed' });
    const rules = execFileSync(iptables, ['-nvxL', 'OUTPUT'], { encoding: 'utf8' });
    const [marked, unmarked] = rules
      .split('\n')
      .filter((line) => line.includes(`dpt:${port}`))
      .map((line) => Number(line.trim().split(/\s+/)[0]));
    expect(marked).toBeGreaterThanOrEqual(3);
    expect(unmarked).toBe(0);
  });

  it('that cannot be set leaves nothing to be sent', async () => {
    let connections = 0;
    const port = await listen(() => void connections++);
    const answer = await probe(port, { mark: { value: 1, set: () => 1 } });
    expect(answer).toMatchObject({ kind: 'failed', reason: 'not-marked' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(connections).toBe(0);
  });
});

it('many clients that ask the same are one connection', async () => {
  let connections = 0;
  const port = await listen((socket) => {
    connections++;
    setTimeout(() => socket.end(), 100);
  });
  const prober = new MirrorProber({ limits, allowLocal: true });
  const ask = (client: number) =>
    new Promise<ProbeAnswer>((resolve) =>
      prober.probe(
        {
          server: { address: Uint8Array.of(127, 0, 0, 1), port },
          client: { address: Uint8Array.of(10, 0, client >> 8, client & 0xff), port: 40_000 },
          clientHello: hello,
          recordVersion: 0x0301,
          starttls: null,
          tunnels: [],
          patience: 0,
        },
        resolve,
      ),
    );
  const answers = await Promise.all([...Array(500).keys()].map(ask));
  expect(answers.every((answer) => answer.kind === 'failed' && answer.reason === 'closed')).toBe(true);
  expect(connections).toBe(1);
});

it('goes away with an end, and not with a reset, whatever the server still sends', async () => {
  let ended: (how: string) => void;
  const how = new Promise<string>((resolve) => (ended = resolve));
  const port = await listen((socket) => {
    socket.on('error', ({ message }) => ended(message));
    socket.on('end', () => ended('end'));
    // What is unread when a connection is closed makes it end with a reset.
    socket.once('data', () => void socket.write(Buffer.alloc(1_000_000, 'no TLS')));
  });
  expect(await probe(port)).toMatchObject({ kind: 'failed', reason: 'protocol' });
  expect(await how).toBe('end');
});
