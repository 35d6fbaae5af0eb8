/** Where records go, while packets flow: several places at once, others after a reload, and places that fail. */
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';

import { recordSchema } from '../../src/report/schema.ts';
import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { ROOT } from '../support/built.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { Engine, type RunOptions, TLSPIN } from '../support/lab/engine.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, genuine, lab } from '../support/lab/twins-of-each.ts';

let engine: Engine;
let server: Server | undefined;
afterEach(() => server?.close());

describe('records go', () => {
  it('to every place that the configuration names: a file, the syslog daemon, a transport from npm', async () => {
    const syslog = await listenToDatagrams(lab.path('dev-log'));
    const remote = listen(lab.path('remote.sock'));
    await run([
      'verdicts.ndjson',
      { syslog: { socket: 'dev-log', facility: 'local3' } },
      // Packages are found from the configuration's folder, which is elsewhere here.
      { transport: { target: PINO_SOCKET, options: { mode: 'tcp', unixsocket: lab.path('remote.sock') } } },
    ]);
    await request();
    await request();
    await engine.child.stop();
    const written = records(readFileSync(lab.path('verdicts.ndjson'), 'utf8'));
    // A busy machine has anomalies of its own.
    expect(kinds(written).filter((kind) => kind !== 'anomaly')).toEqual(['start', 'verdict', 'verdict', 'stop']);
    await expect.poll(() => records(remote())).toEqual(written);
    await expect.poll(() => syslog.output.split('\n').filter(Boolean).length).toBe(written.length);
    const messages = syslog.output.split('\n').filter(Boolean);
    expect(messages.find((line) => line.includes('"event_type":"verdict"'))).toMatch(
      /^<158>\w{3} [ \d]\d \d\d:\d\d:\d\d tlspin\[\d+\]: \{/,
    );
    expect(records(messages.map((line) => line.slice(line.indexOf('{'))).join('\n'))).toEqual(written);
  });

  it('elsewhere after a reload, and none is lost; nowhere else where that cannot be', async () => {
    await run('verdicts.ndjson');
    await request();
    reconfigure(['verdicts.ndjson', 'none/log']);
    await reload(/not reloaded: log \S+none\/log: cannot be opened \(ENOENT\)/);
    await request();
    reconfigure({ transport: { target: 'pino/file', options: { destination: lab.path('other.ndjson') } } });
    const flows = Promise.all([request(), request(), request()]);
    await reload(/reloaded: configuration/);
    await flows;
    await request();
    await engine.child.stop();
    const before = records(readFileSync(lab.path('verdicts.ndjson'), 'utf8'));
    const after = records(readFileSync(lab.path('other.ndjson'), 'utf8'));
    const flowIds = [...before, ...after].flatMap(({ event_type: type, flow_id: id }) =>
      type === 'verdict' ? [id] : [],
    );
    expect(new Set(flowIds).size).toBe(6);
    // Either has the record of the change, and the other one its end.
    expect(kinds(before).at(-1)).toBe('config');
    expect(kinds(after).slice(-2)).toEqual(['verdict', 'stop']);
    expect(kinds(after)).toContain('config');
    expect(after.at(-1)).toMatchObject({ stop: { dropped: 0 } });
  });

  it('where --log says, whatever the configuration does', async () => {
    await run('other.ndjson', { log: lab.path('verdicts.ndjson') });
    await engine.child.says(/records go where --log says/);
    await request();
    await engine.child.stop();
    expect(engine.verdicts).toHaveLength(1);
    expect(readdirSync(lab.directory)).not.toContain('other.ndjson');
  });
});

describe('a transport', () => {
  it('that waits, and one that ends, hold up no packet and no other place, and are told of', async () => {
    writeFileSync(lab.path('waits.cjs'), WAITS);
    writeFileSync(lab.path('ends.cjs'), ENDS);
    await run(
      ['verdicts.ndjson', { transport: { target: './waits.cjs' } }, { transport: { target: './ends.cjs' } }],
      {},
      { limits: { logBacklog: 5 } },
    );
    for (let n = 0; n < 15; n++) expect(await request()).toMatchObject({ error: null });
    // Said, recorded where that can be, and part of the engine's health.
    await engine.child.says(
      /degraded \(log\.lost\): log \S+ends\.cjs: cannot be written \((its process has ended: (boom|it has closed its stream)|it has not started within 4 s)\)/,
    );
    await engine.child.says(/degraded \(log\.lost\): log \S+waits\.cjs: its reader is too slow: records are lost/);
    expect(engine.conditions).toEqual(expect.arrayContaining(['log.lost begin']));
    const health = lab.shell('gateway', `${TLSPIN.join(' ')} health --control ${lab.path('control.sock')} || true`);
    expect(health).toMatch(/log\.lost/);
    const began = performance.now();
    process.kill(engine.child.pid!, 'SIGTERM');
    expect((await engine.child.ended).code).toBe(0);
    expect(performance.now() - began).toBeLessThan(12_000);
    expect(engine.verdicts).toHaveLength(15);
    const stop = records(readFileSync(lab.path('verdicts.ndjson'), 'utf8')).at(-1)!;
    expect((stop['stop'] as { dropped: number }).dropped).toBeGreaterThan(0);
  });

  it('has none of the engine’s privileges, ends with it, and is no debuggee', async () => {
    writeFileSync(lab.path('waits.cjs'), WAITS);
    await run(['verdicts.ndjson', { transport: { target: './waits.cjs' } }], { more: ['--user', 'root'] });
    await expect.poll(() => transports()).toHaveLength(1);
    const [{ pid, status }] = transports() as [Process];
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) {
      expect(status).toMatch(new RegExp(`^${set}:\\s+0{16}$`, 'm'));
    }
    expect(status).toMatch(/^NoNewPrivs:\s+1$/m);
    // Those of a whole group are for the engine.
    for (const signal of ['SIGUSR1', 'SIGTERM', 'SIGHUP'] as const) process.kill(pid, signal);
    await request();
    expect(transports()).toMatchObject([{ pid }]);
    expect(engine.said).not.toMatch(/debugger/i);
    await engine.kill();
    await expect.poll(() => transports()).toEqual([]);
  });
});

// ---- the stage ----

const PINO_SOCKET = `${ROOT}node_modules/pino-socket/psock.js`;
const WAITS = `module.exports = () => new (require('node:stream').Writable)({ write() {} });`;
const ENDS = `module.exports = () => new (require('node:stream').Writable)({ write() { throw new Error('boom'); } });`;

const configuration = (to: unknown, more: object = {}) => ({
  control: { socket: 'control.sock' },
  pinsets: [{ name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert)] }],
  log: { to },
  ...more,
});

async function run(to: unknown, options: RunOptions = {}, more: object = {}): Promise<void> {
  engine = new Engine(lab, { config: configuration(to, more) });
  await engine.run({ log: null, ...options });
  engine.applyRules();
  await startTlsServer(lab, 'server', { identity: genuine });
}

function reconfigure(to: unknown): void {
  lab.write('tlspin.json', JSON.stringify({ version: 1, ...configuration(to) }));
}

async function reload(says: RegExp): Promise<void> {
  process.kill(engine.child.pid!, 'SIGHUP');
  await engine.child.says(says);
}

async function request() {
  const [outcome] = await requestWithNode(lab, 'client', {
    host: lab.address('server'),
    servername: HOST,
    ca: ca.cert,
  });
  return outcome!;
}

type AnyRecord = { readonly event_type: string; readonly flow_id?: number } & Readonly<Record<string, unknown>>;

/** All of them as the schema says. */
function records(text: string): AnyRecord[] {
  const all = text.split('\n').filter(Boolean);
  return all.map((line) => recordSchema.parse(JSON.parse(line)) as AnyRecord);
}

const kinds = (all: readonly AnyRecord[]): string[] => all.map(({ event_type: type }) => type);

interface Process {
  /** In these tests' PID namespace. */
  readonly pid: number;
  readonly status: string;
}

/** Those that run transports. The /proc here may be that of a PID namespace around the tests' own. */
function transports(): Process[] {
  const own = readlinkSync('/proc/self/ns/pid');
  return readdirSync('/proc').flatMap((name) => {
    try {
      const status = readFileSync(`/proc/${name}/status`, 'utf8');
      const isOne = readFileSync(`/proc/${name}/cmdline`, 'latin1').includes('transport-process.js');
      if (!isOne || readlinkSync(`/proc/${name}/ns/pid`) !== own) return [];
      return [{ pid: Number(/^NSpid:.*\s(\d+)$/m.exec(status)![1]), status }];
    } catch {
      return []; // no process, or none any more
    }
  });
}

function listen(path: string): () => string {
  let received = '';
  server = createServer((socket) => socket.on('data', (octets) => (received += String(octets))));
  server.listen(path);
  return () => received;
}

async function listenToDatagrams(path: string): Promise<Child> {
  lab.write('daemon.py', DAEMON);
  const daemon = lab.start('gateway', ['python3', '-u', lab.path('daemon.py'), path]);
  await expect.poll(() => readdirSync(lab.directory)).toContain('dev-log');
  return daemon;
}

const DAEMON = `
import socket, sys
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1])
while True: print(server.recv(65536).decode())
`;
