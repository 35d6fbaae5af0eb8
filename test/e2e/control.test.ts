/** Operators and a running engine: real socket, real signals, real queue, the commands as processes. */
import { existsSync, readFileSync, renameSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { NAME as HOST } from '../support/lab/bank.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { ca, forged, genuine, lab } from '../support/lab/twins-of-each.ts';

describe('a list', () => {
  const listed = () => ({
    lists: { 0: { file: '0.list', writable: true, kind: 'cert-sha1' } },
    pinsets: [{ name: 'bank', match: { hosts: [HOST] }, pins: ['@0'] }],
  });

  it('is filled by the pipeline of its predecessor, takes effect at once, and survives being killed', async () => {
    const engine = await run(listed());
    await startTlsServer(lab, 'server', { identity: genuine });
    expect((await request()).error).not.toBeNull();

    const pipeline = (verb: string) =>
      lab.shell(
        'gateway',
        `openssl x509 -in ${genuine.cert} -outform DER | sha1sum | ${tlspin('list', '0', verb, '-')}`,
      );
    expect(pipeline('add')).toMatch(/^list 0: 1 added; 1 now; written to .*0\.list\n$/);
    expect(await request()).toMatchObject({ error: null });
    process.kill(engine.pid!, 'SIGKILL');
    await engine.ended;
    expect(readFileSync(lab.path('0.list'), 'utf8')).toMatch(/^cert-sha1:[0-9a-f]{40}\n$/);

    await start(listed());
    expect(await request()).toMatchObject({ error: null });
    expect(pipeline('rm')).toMatch(/^list 0: 1 removed; 0 now; /);
    expect((await request()).error).not.toBeNull();
  });

  it('that denies is a whole list of what is known to be bad, for every queue', async () => {
    await run({
      ...listed(),
      pinsets: [{ name: 'bad', match: { addresses: ['0.0.0.0/0'] }, deny: ['@0'] }],
      queues: '0:3',
    });
    await startTlsServer(lab, 'server', { identity: forged });
    expect(await request()).toMatchObject({ error: null });
    lab.shell(
      'gateway',
      `openssl x509 -in ${forged.cert} -noout -fingerprint -sha1 | ${tlspin('list', '0', 'add', '-')}`,
    );
    expect((await request()).error).not.toBeNull();
    expect(ask({ command: 'verdicts', action: 'tls-alert' })).toMatchObject({
      verdicts: [{ verdict: { reason: 'deny-pin', pinset: 'bad' } }],
    });
  });

  it('of thousands comes in and goes out again', async () => {
    await run(listed());
    const digests = Array.from({ length: 30_000 }, (_, i) => (i + 1).toString(16).padStart(40, '0'));
    lab.write('many', digests.join('\n'));
    expect(lab.shell('gateway', `${tlspin('list', '0', 'add', '-')} < ${lab.path('many')}`)).toContain(
      '30000 added; 30000 now',
    );
    lab.shell('gateway', `${tlspin('list', '0')} > ${lab.path('shown')}`);
    expect(readFileSync(lab.path('shown'), 'utf8').trimEnd().split('\n')).toEqual(
      digests.map((digest) => `cert-sha1:${digest}`),
    );
  });
});

describe('a reload', () => {
  it('is answered when every queue judges by it, and says what has changed and whether rules have to follow', async () => {
    await run({ queues: '0:1' });
    await startTlsServer(lab, 'server', { identity: forged });
    expect((await request()).error).not.toBeNull();
    configure({ queues: '0:1', pins: [spkiPin(forged.cert), BACKUP], ports: [443, 8443] });
    expect(output('ctl', 'reload', '--dry-run')).toMatch(/^~ pinset bank\n {2}\+ spki-sha256:/m);
    expect((await request()).error).not.toBeNull();
    const reloaded = output('ctl', 'reload');
    expect(reloaded).toMatch(/^in force: sha256:[0-9a-f]{64}, generation 2$/m);
    expect(reloaded).toContain('~ pinset bank\n');
    expect(reloaded).toMatch(/^ {2}\+ spki-sha256:\S+ \(at path\)$/m);
    expect(reloaded).toContain('the netfilter rules have to be applied again (ports)');
    expect(await request()).toMatchObject({ error: null });
  });

  it('of a bad file changes nothing, whoever asks, and says where it is bad: to who asked, and to the log', async () => {
    const engine = await run({});
    lab.write('tlspin.json', '{ "version": 1,\n "pinset": [] }');
    const reload = attempt('ctl', 'reload');
    expect(reload.code).toBe(1);
    expect(reload.text).toMatch(/tlspin\.json:2:2: error: .*\nnot reloaded: .* is no valid configuration/);
    process.kill(engine.pid!, 'SIGHUP');
    await engine.says(/not reloaded: .*\n(.*\n)*.*not reloaded: /);
    expect(ask({ command: 'status' })).toMatchObject({ status: { configuration: { generation: 1, pinsets: 1 } } });
    const records = logged('config').map(({ config }) => config);
    expect(records).toMatchObject([
      { by: expect.stringMatching(/^control \(uid 0, pid \d+\)$/) as string, result: 'refused' },
      { by: 'SIGHUP', result: 'refused', messages: [expect.stringMatching(/tlspin\.json:2:2: error: /)] },
    ]);
  });

  it('comes by itself when a file changes, where that is wanted', async () => {
    const engine = await run({ pins: ['@0'], lists: { 0: { file: '0.list' } } }, ['--watch'], () =>
      lab.write('0.list', ''),
    );
    await startTlsServer(lab, 'server', { identity: genuine });
    expect((await request()).error).not.toBeNull();
    lab.write('0.list', `${spkiPin(genuine.cert)}\n`);
    await engine.says(/reloaded: configuration/);
    expect(await request()).toMatchObject({ error: null });
    expect(logged('config')).toMatchObject([{ config: { by: 'file change', result: 'in-force' } }]);
  });
});

describe('who asks why', () => {
  it('is told of the pinset, of each pin, and of what the server showed', async () => {
    await run({
      pinsets: [
        { name: 'bank', match: { hosts: [HOST] }, pins: [spkiPin(genuine.cert), { pin: BACKUP, role: 'backup' }] },
        { name: 'others', match: { hosts: ['**.example'] }, pins: [BACKUP] },
        { name: 'elsewhere', match: { hosts: ['www.shop.example'] }, pins: [BACKUP] },
      ],
    });
    await startTlsServer(lab, 'server', { identity: forged });
    await request();
    const [verdict] = (await verdictsOf(1)) as [Record<string, unknown>];
    expect(verdict).toMatchObject({
      verdict: { action: 'tls-alert', reason: 'pin-mismatch', pinset: 'bank' },
      tls: { sni: HOST },
    });
    const text = output('ctl', 'explain', String(verdict['flow_id']));
    expect(text).toContain('verdict: tls-alert, pin-mismatch: none of the pins of the pinset is satisfied');
    expect(text).toContain(`  bank: chosen as host: it names ${HOST}\n`);
    expect(text).toMatch(/spki-sha256:\S+ \(path\)\n {5}no match: it is of none of the certificates/);
    expect(text).toMatch(/\(path, backup\)\n {5}no match/);
    expect(text).toContain(`  others: not chosen: "bank" is more specific: it names ${HOST}`);
    expect(text).toContain(`  elsewhere: not chosen: its hosts do not cover ${HOST}`);
    expect(text).toMatch(/ {2}1 \(leaf\): .*CN=www\.bank\.example, issued by .*/);
    expect(text).toContain(spkiPin(forged.cert).replace('sha256//', 'spki-sha256:'));

    const client = `${String(verdict['src_ip'])}:${String(verdict['src_port'])}`;
    expect(output('ctl', 'explain', client)).toBe(text);
    const [record] = logged('verdict');
    expect(output('ctl', 'explain', String(record!['flow_id']))).toBe(text);
    expect(attempt('ctl', 'explain', '99999')).toMatchObject({
      code: 1,
      text: expect.stringContaining('there is no flow 99999'),
    });
  });

  it('is told by the log of what an engine decided that is gone, and what to do about it', async () => {
    const engine = await run({});
    await startTlsServer(lab, 'server', { identity: forged });
    await request();
    const [verdict] = (await verdictsOf(1)) as [Record<string, unknown>];
    const client = `${String(verdict['src_ip'])}:${String(verdict['src_port'])}`;
    await engine.stop('SIGKILL');
    await start({});
    const text = output('ctl', 'explain', client);
    expect(text).toContain(`verdict: tls-alert, pin-mismatch: none of the pins`);
    expect(text).toContain('  told by the log, as of 20');
    expect(text).toContain(spkiPin(forged.cert).replace('sha256//', 'spki-sha256:'));
    await request();
    await verdictsOf(1);
    const why = output('why', HOST, '--since', '10m');
    expect(why).toContain('tls-alert, pin-mismatch, pinset bank: 2 times\n');
    const line = /^ {4}(\{ "pin": .*\}),$/m.exec(why)?.[1] ?? '';
    configure({ pins: [JSON.parse(line), BACKUP] });
    output('ctl', 'reload');
    expect(await request()).toMatchObject({ error: null });
  });

  it('who follows the decisions is told of each as it comes', async () => {
    await run({});
    await startTlsServer(lab, 'server', { identity: forged });
    const follower = lab.start('gateway', [
      ...TLSPIN,
      'ctl',
      'verdicts',
      '--denied',
      '--follow',
      '--control',
      socket(),
    ]);
    await request();
    await request();
    await expect
      .poll(() => follower.output.match(/ tls-alert +pin-mismatch +bank +www\.bank\.example\n/g)?.length)
      .toBe(2);
    await follower.stop();
  });

  it('is told of the situation where no certificate decides', async () => {
    await run({ pinned: { tls13: 'deny' } });
    await startTlsServer(lab, 'server', { identity: genuine, maxVersion: 'TLSv1.3' });
    await request();
    const [verdict] = (await verdictsOf(1)) as [Record<string, unknown>];
    expect(output('ctl', 'explain', String(verdict['flow_id']))).toContain('"tls13" is "deny" (bank)');
  });
});

describe('flows', () => {
  it('that are not decided are shown, by name, and told of as far as they have come', async () => {
    await run({});
    lab.start('server', ['python3', '-c', SILENT_SERVER]);
    await expect.poll(() => lab.run('server', 'ss', '-Hltn')).toContain(':443');
    const client = lab.start('client', [
      'openssl',
      's_client',
      '-tls1_2',
      '-connect',
      `${lab.address('server')}:443`,
      '-servername',
      HOST,
    ]);
    await expect
      .poll(() => ask({ command: 'flows', name: '*.bank.example' })['flows'])
      .toMatchObject([{ phase: 'inspecting', sni: HOST, pinsets: ['bank'], mark: 'pending', dest_port: 443 }]);
    expect(ask({ command: 'flows', name: 'www.shop.example' })).toMatchObject({ flows: [], next: null });
    const [flow] = ask({ command: 'flows' })['flows'] as { flow_id: number; src_port: number }[];
    expect(output('ctl', 'flows', '--port', String(flow!.src_port))).toContain('inspecting');
    expect(output('ctl', 'explain', String(flow!.flow_id))).toMatch(
      /\(inspecting\).*\nnot decided yet\n(.*\n)* {2}bank: chosen as host/,
    );
    expect(ask({ command: 'status' })).toMatchObject({
      status: { flows: 1, queue_bypass: false, connmark: { mask: '0x3000000' } },
    });
    await client.stop();
  });
});

describe('top', () => {
  it('shows the queue, what was decided and what was decided of late', async () => {
    await run({});
    await startTlsServer(lab, 'server', { identity: genuine });
    await request();
    await verdictsOf(1);
    const text = output('top', '--once');
    expect(text).toMatch(/^tlspin \S+, process \d+, up \d+ s, \d+ MiB /);
    expect(text).toMatch(/^pinsets: enforce 1, pins 2; generation 1 for /m);
    expect(text).toMatch(/^ +0 +[1-9][\d.]* +[1-9][\d.]* +0\.0 +\d+ +0 +0 +0 +0$/m);
    expect(text).toMatch(/^accept +pin-match +[\d.<]+ +1 +100\.0 %$/m);
    expect(text).toMatch(/^\d+ .* accept +pin-match +\d+ s +bank +www\.bank\.example$/m);
    expect(text).not.toMatch(/^!/m);
    // Programs that ask often leave out what takes long.
    expect(ask({ command: 'status' })['status']).toMatchObject({ queue_bypass: false });
    expect(ask({ command: 'status', brief: true })['status']).not.toHaveProperty('queue_bypass');
  });

  it('shows first what is held', async () => {
    await run({ pinned: { tls13: 'probe' }, probe: { timeout: 9_000 }, limits: { holdTime: 9_500 } });
    await startTlsServer(lab, 'server', { identity: genuine, maxVersion: 'TLSv1.3' });
    const lost = 'OUTPUT -p tcp --dport 443 -j DROP';
    lab.shell('gateway', `iptables -I ${lost}`); // no probe reaches the server
    const requested = request();
    await expect
      .poll(() => ask({ command: 'flows', held: true })['flows'])
      .toMatchObject([{ phase: 'inspecting', waits: true, sni: HOST }]);
    expect(output('top', '--once')).toMatch(
      /^\d+ .* inspecting +evidence awaited +\d+ s +[1-9]\d* +bank +www\.bank\.example$/m,
    );
    lab.shell('gateway', `iptables -D ${lost}`);
    expect(await requested).toMatchObject({ error: null });
    expect(ask({ command: 'flows', held: true })).toMatchObject({ flows: [], next: null });
  });
});

describe('the log', () => {
  it.each(['SIGUSR1', 'log-reopen'])('goes on in a new file after %s, without a loss', async (how) => {
    const engine = await run({});
    await startTlsServer(lab, 'server', { identity: genuine });
    await request();
    await verdictsOf(1);
    renameSync(lab.path('verdicts.ndjson'), lab.path('verdicts.1'));
    if (how === 'SIGUSR1') process.kill(engine.pid!, 'SIGUSR1');
    else expect(output('ctl', 'log-reopen')).toBe('the log is open again\n');
    await expect.poll(() => existsSync(lab.path('verdicts.ndjson'))).toBe(true);
    await request();
    await expect.poll(() => logged('verdict').length).toBe(1);
    expect(logged('verdict', 'verdicts.1')).toHaveLength(1);
  });

  it('tells the counters, where that is wanted', async () => {
    await run({ log: { stats: 1 } });
    await expect.poll(() => logged('stats').length).toBeGreaterThan(0);
    expect(logged('stats')[0]).toMatchObject({ stats: { generation: 1, packets: { received: 0 }, verdicts: {} } });
  });
});

describe('the socket', () => {
  it('is for its owner alone, and no client of it keeps the engine from its work', async () => {
    await run({});
    expect(statSync(socket()).mode & 0o777).toBe(0o600);
    await startTlsServer(lab, 'server', { identity: genuine });
    const clients = Array.from({ length: 40 }, () => connect(socket()).on('error', () => {}));
    for (const [i, client] of clients.entries())
      client.write(i % 2 === 0 ? 'x'.repeat(2_000_000) : '{"command":"stats"}\n'.repeat(5_000));
    expect(await request()).toMatchObject({ error: null });
    for (const client of clients) client.destroy();
    await expect.poll(() => attempt('ctl', 'status').code).toBe(0);
  });

  it('ends the engine as a signal does', async () => {
    const engine = await run({});
    expect(output('ctl', 'shutdown')).toBe('ending\n');
    expect(await engine.ended).toEqual({ code: 0, signal: null });
    expect(existsSync(socket())).toBe(false);
    expect(attempt('ctl', 'status')).toMatchObject({
      code: 1,
      text: expect.stringContaining('there is none (does tlspin run'),
    });
  });

  it('that another engine holds keeps a second one from starting', async () => {
    await run({});
    const second = lab.start('gateway', [
      ...TLSPIN,
      'run',
      '-c',
      lab.path('tlspin.json'),
      '--queue',
      '9',
      '--log',
      lab.path('second'),
    ]);
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.errors).toContain('somebody listens there already');
  });
});

// ---- the stage ----

function configure({
  pins = [spkiPin(genuine.cert), BACKUP],
  ...rest
}: {
  pins?: unknown[];
  [key: string]: unknown;
}): void {
  const pinsets = [{ name: 'bank', match: { hosts: [HOST] }, pins }];
  const control = { socket: 'control.sock' };
  lab.write('tlspin.json', JSON.stringify({ version: 1, control, pinsets, ...rest }));
}

/** With its rules; `prepare` makes the files that the configuration names. */
async function run(
  config: Record<string, unknown>,
  args: string[] = [],
  prepare = (): unknown => undefined,
): Promise<Child> {
  prepare();
  const engine = await start(config, args);
  lab.shell('gateway', `${tlspinWith(['rules', '-c', lab.path('tlspin.json')])} | sh`);
  return engine;
}

async function start(config: Record<string, unknown>, args: string[] = []): Promise<Child> {
  configure(config);
  const argv = ['run', '-c', lab.path('tlspin.json'), '--log', lab.path('verdicts.ndjson'), ...args];
  const engine = lab.start('gateway', [...TLSPIN, ...argv]);
  await engine.says(/bound/);
  return engine;
}

const socket = (): string => lab.path('control.sock');
const tlspinWith = (args: readonly string[]): string => [...TLSPIN, ...args].join(' ');
const tlspin = (...args: string[]): string => tlspinWith([...args, '--control', socket()]);
const output = (...args: string[]): string => lab.shell('gateway', tlspin(...args));

function attempt(...args: string[]): { code: number; text: string } {
  const text = lab.shell('gateway', `${tlspin(...args)} 2>&1 && echo '#0' || echo "#$?"`);
  return { code: Number(/#(\d+)\n$/.exec(text)?.[1]), text };
}

/** The answer to one request, by hand. */
function ask(request: object): Record<string, unknown> {
  lab.write('request', `${JSON.stringify(request)}\n`);
  const answer = lab.shell('gateway', `python3 -c '${ASK}' ${socket()} < ${lab.path('request')}`);
  return JSON.parse(answer) as Record<string, unknown>;
}

async function verdictsOf(count: number): Promise<Record<string, unknown>[]> {
  await expect.poll(() => (ask({ command: 'verdicts' })['verdicts'] as unknown[]).length).toBe(count);
  return ask({ command: 'verdicts' })['verdicts'] as Record<string, unknown>[];
}

async function request() {
  const [outcome] = await requestWithNode(lab, 'client', {
    host: lab.address('server'),
    servername: HOST,
    ca: ca.cert,
  });
  return outcome!;
}

function logged(eventType: string, name = 'verdicts.ndjson'): Record<string, unknown>[] {
  const lines = readFileSync(lab.path(name), 'utf8').split('\n').filter(Boolean);
  return lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .filter((each) => each['event_type'] === eventType);
}

const BACKUP = `sha256//${Buffer.alloc(32, 7).toString('base64')}`;
const ASK = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
print(s.makefile().readline())
`;
/** Takes connections and says nothing. */
const SILENT_SERVER = `
import socket, time
s = socket.create_server(("", 443))
kept = []
while True: kept.append(s.accept())
`;
