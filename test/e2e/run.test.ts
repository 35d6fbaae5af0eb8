/** `tlspin run` as a process on the kernel's real queue: how it starts, what it writes, how it reloads and how it ends. */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { loadPolicy } from '../../src/pins/load.ts';
import { recordSchema } from '../../src/report/schema.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { renderRules } from '../../src/runtime/rules/render.ts';
import { ROOT } from '../support/built.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithCurl, requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

describe('starting', () => {
  it('binds its queues, says so, and tells the service manager', async () => {
    const manager = lab.start('gateway', ['python3', '-u', '-c', NOTIFY_SOCKET, lab.path('notify')]);
    await manager.says(/listening/);
    const engine = await run({ env: { NOTIFY_SOCKET: lab.path('notify') }, config: { queues: '4:5' } });
    expect(engine.errors).toMatch(
      /^queues 4 to 5 bound, connmark route: (verdict|packet-mark), configuration sha256:/m,
    );
    await manager.says(/READY=1/);
    expect(boundQueues()).toEqual([4, 5]);
  });

  it('a queue that is taken ends it with the reason, and leaves the others free', async () => {
    await run({ config: { queues: 5 } });
    const second = start({ arguments: ['--queue', '4:6'] });
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.errors).toMatch(/error: netlink bind: queue 5: EPERM \(another process holds the queue/);
    expect(boundQueues()).toEqual([5]);
  });

  it('an invalid configuration binds nothing', async () => {
    const engine = start({ config: { pinset: [] } });
    expect(await engine.ended).toEqual({ code: 1, signal: null });
    expect(engine.errors).toMatch(
      /tlspin\.json:\d+:\d+: error: .*\n(.*\n)*error: .* is no valid configuration: not started/,
    );
  });

  it('signals that come meanwhile are answered once it runs, and open no debugger', async () => {
    rmSync(lab.path('verdicts.ndjson'), { force: true });
    const engine = start({});
    await expect.poll(() => existsSync(lab.path('verdicts.ndjson')), { interval: 1 }).toBe(true);
    process.kill(engine.pid!, 'SIGUSR1');
    process.kill(engine.pid!, 'SIGHUP');
    await engine.says(/queue \d+ bound/);
    await engine.says(/reloaded: configuration/);
    expect(engine.errors).not.toContain('Debugger listening');
    await engine.stop();
  });

  it('flow offload is refused, unless the configuration allows it', async () => {
    const created = lab.shell(
      'gateway',
      "nft 'add table inet x; add flowtable inet x fast { hook ingress priority 0; devices = { lo }; }' 2>&1 || true",
    );
    if (created !== '') return expect(created).toMatch(/not supported|No such file/); // this kernel has no flowtables
    const engine = start({});
    expect(await engine.ended).toEqual({ code: 1, signal: null });
    expect(engine.errors).toMatch(/flow offload is configured \(flowtable fast in nft table inet x\)/);
    await run({ config: { allowOffload: true } });
  });
});

describe('deciding', () => {
  it('lets the pinned server through and stops a forged one at once, with an alert', async () => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: genuine, body: 500_000 });
    await startTlsServer(lab, 'server', { identity: forged, port: 8443 });

    expect(await request()).toMatchObject({ error: null });
    const stopped = await request({ port: 8443 });
    expect(stopped).toMatchObject({ bytes: 0 });
    expect(stopped.error).toMatch(/alert|ALERT/);
    expect(stopped.millis).toBeLessThan(1000);

    await engine.until(() => verdicts().length === 2, 'two records');
    expect(verdicts()).toMatchObject([
      { action: 'accept', reason: 'pin-match' },
      { action: 'tls-alert', reason: 'pin-mismatch' },
    ]);
  });

  it('an accepted download leaves the queue', async () => {
    await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: genuine, body: 20_000_000 });
    const curl = await requestWithCurl(lab, 'client', { host: lab.address('server'), servername: HOST, ca: ca.cert });
    expect(curl).toMatchObject({ error: null, bytes: 20_000_000 });
    const [line] = queueLines();
    expect(Number(line!.split(/\s+/)[7])).toBeLessThan(60); // id_sequence: packets that ever were in the queue
  });
});

describe('reloading', () => {
  it('judges new flows by the new configuration', async () => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: forged });
    expect((await request()).error).not.toBeNull();
    configure({ pins: [spkiPin(forged.cert), spkiPin(genuine.cert)] });
    process.kill(engine.pid!, 'SIGHUP');
    await engine.says(/reloaded: configuration sha256:/);
    expect(await request()).toMatchObject({ error: null });
  });

  it('an invalid file changes nothing and says why', async () => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: forged });
    lab.write('tlspin.json', '{ "version": 1, "pinsets": [');
    process.kill(engine.pid!, 'SIGHUP');
    await engine.says(/tlspin\.json:1:\d+: error: .*\nnot reloaded: .* the one in force stays/);
    expect((await request()).error).not.toBeNull();
  });
});

describe('ending', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('%s: unbinds, writes the log out, and is a success', async (signal) => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: forged });
    await request();
    process.kill(engine.pid!, signal);
    expect(await engine.ended).toEqual({ code: 0, signal: null });
    expect(boundQueues()).toEqual([]);
    expect(verdicts()).toHaveLength(1);
    expect(records().at(-1)).toMatchObject({ event_type: 'stop', stop: { by: signal, written: 2, dropped: 0 } });
  });

  it('a log that begins with its start introduces each configuration that decides', async () => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: genuine });
    await request();
    configure({ pins: [spkiPin(forged.cert)] });
    process.kill(engine.pid!, 'SIGHUP');
    await engine.says(/reloaded: configuration/);
    await request();
    await engine.stop();
    const introduced = records().flatMap(({ start, config }) => start?.config ?? config?.config ?? []);
    expect(introduced).toHaveLength(2);
    expect(verdicts().map(({ config }) => config)).toEqual(introduced);
    expect(records().map(({ event_type }) => event_type)).toEqual(['start', 'verdict', 'config', 'verdict', 'stop']);
    for (const record of records()) recordSchema.parse(record);
  });

  it('without an engine nothing passes', async () => {
    const engine = await run({});
    rules();
    await startTlsServer(lab, 'server', { identity: genuine });
    process.kill(engine.pid!, 'SIGKILL');
    await engine.ended;
    expect(await request({ timeout: 1500 })).toMatchObject({ bytes: 0, error: expect.any(String) as string });
  });
});

// ---- the stage ----

interface EngineOptions {
  readonly config?: Record<string, unknown>;
  readonly arguments?: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** Writes the configuration: one pinset with the genuine key and a backup, unless told otherwise. */
function configure({
  pins = [spkiPin(genuine.cert), BACKUP],
  ...rest
}: {
  pins?: string[];
  [key: string]: unknown;
}): string {
  const pinsets = [{ name: 'bank', match: { hosts: [HOST], ports: [443, 8443] }, pins }];
  return lab.write('tlspin.json', JSON.stringify({ version: 1, pinsets, ...rest }));
}

function start({ config = {}, env, arguments: more = [] }: EngineOptions): Child {
  const argv = ['run', '-c', configure(config), '--log', lab.path('verdicts.ndjson'), ...more];
  return lab.start('gateway', [process.execPath, `${ROOT}dist/cli/main.js`, ...argv], env === undefined ? {} : { env });
}

async function run(options: EngineOptions): Promise<Child> {
  const engine = start(options);
  await engine.says(/bound/);
  return engine;
}

/** What `tlspin rules | sh` does, on the gateway. */
function rules(): void {
  const loaded = loadPolicy(lab.path('tlspin.json'));
  if (!('policy' in loaded)) throw new Error('no policy');
  const script = renderRules(loaded.policy, { hook: 'forward', format: 'iptables', quic: true, queueBypass: false });
  lab.shell('gateway', script);
}

async function request(more: { port?: number; timeout?: number } = {}) {
  const host = lab.address('server');
  const [outcome] = await requestWithNode(lab, 'client', { host, servername: HOST, ca: ca.cert, ...more });
  return outcome!;
}

interface LogRecord {
  readonly event_type: string;
  readonly verdict?: { readonly action: string; readonly reason: string; readonly config: string };
  readonly start?: { readonly config: string };
  readonly config?: { readonly config: string };
}

function records(): LogRecord[] {
  const lines = readFileSync(lab.path('verdicts.ndjson'), 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as LogRecord);
}

function verdicts() {
  return records().flatMap(({ verdict }) => verdict ?? []);
}

function queueLines(): string[] {
  const text = lab.run('gateway', 'cat', '/proc/net/netfilter/nfnetlink_queue');
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean);
}

function boundQueues(): number[] {
  return queueLines().map((line) => Number(line.split(/\s+/)[0]));
}

const BACKUP = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;

/** A service manager's socket, which prints what it is told. */
const NOTIFY_SOCKET = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening')
while True: print(s.recv(1000).decode())
`;
