/**
 * Learning on the live path: real servers show their keys to real clients, and the engine on the way records, promotes,
 * denies what has changed and forgets what it is told to. What clients refuse, and what an interception proxy shows, is
 * never held against the genuine host.
 */
import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';

import { type Identity, spkiPin } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { Engine, TLSPIN } from '../support/lab/engine.ts';
import { Lab } from '../support/lab/lab.ts';
import { requestWithCurl, requestWithNode, requestWithOpenssl, startTlsServer } from '../support/lab/peers.ts';

const SHOP = 'www.shop.test';
const AT = `${NAME}:443`;
/** How long a probe's answer stands at first. */
const TTL_MS = 100;

let bank: Bank;
let lab: Lab;
let engine: Engine;
let server: Child | undefined;
beforeAll(() => {
  bank = makeBank([NAME, SHOP]);
});
afterAll(() => bank.remove());
beforeEach(() => {
  lab = new Lab();
  server = undefined;
});
afterEach(() => lab.close());

describe('a host that was seen often enough', () => {
  it('is held to its key: a change is denied and said, also after a crash, until it is forgotten', async () => {
    await start();
    await serve(bank.genuineChain);
    for (let i = 0; i < 3; i++) expect(await request()).toMatchObject({ error: null });
    await anomaly('learn.promoted');
    expect(await request()).toMatchObject({ error: null });
    await expect.poll(reasons).toEqual(['learning', 'learning', 'learning', 'pin-match']);

    await serve(bank.forgedChain);
    expect((await request()).error).not.toBeNull();
    const changed = await anomaly('learn.changed');
    expect(changed).toContain(`${AT} showed ${pinOf(bank.forged)}`);
    expect(changed).toContain(`instead of ${pinOf(bank.genuine)}`);
    expect((await engine.logged(5))[4]).toMatchObject({ verdict: { action: 'tls-alert', reason: 'pin-mismatch' } });

    await engine.kill();
    await engine.run();
    expect((await request()).error).not.toBeNull();
    expect((await engine.logged(6))[5]!.verdict.reason).toBe('pin-mismatch');

    expect(attempt('learn', 'forget', 'www.bank.exmaple')).toMatchObject({
      code: 1,
      text: `error: nothing was learned of "www.bank.exmaple": did you mean "${NAME}"?\n`,
    });
    // Counts are on the disk within seconds; what was promoted is there ahead of the first denial.
    const forgotten = output('learn', 'forget', NAME);
    expect(forgotten).toMatch(/^forgotten: www\.bank\.example:443 \(devices\), seen [34] ×, was held to /);
    expect(forgotten).toContain(pinOf(bank.genuine));
    expect(JSON.parse(readFileSync(lab.path('learned.json'), 'utf8'))).toMatchObject({ pinsets: {} });
    for (let i = 0; i < 4; i++) expect(await request()).toMatchObject({ error: null });
    await expect.poll(() => reasons().slice(6)).toEqual(['learning', 'learning', 'learning', 'pin-match']);
    const promoted = { change: 'learn', result: 'in-force', by: 'learning' };
    await expect
      .poll(configRecords)
      .toMatchObject([
        promoted,
        { change: 'learn', result: 'refused', by: expect.stringMatching(/^control \(uid 0, pid \d+\)$/) as string },
        { change: 'learn', result: 'in-force', changes: { forgotten: [{ pinset: 'devices', host: AT }] } },
        promoted,
      ]);
    expect(engine.child.errors).toContain(`forgotten, as asked by control`);
  });

  it('is proposed as a pinset that enforces once it is in the configuration, by the engine and by the file', async () => {
    await start({ then: undefined });
    await serve(bank.genuineChain);
    for (let i = 0; i < 3; i++) await request();
    await expect.poll(() => output('learn', 'show')).toContain(`devices  ${AT}  settled, seen 3 ×`);
    const proposed = output('learn', 'propose');
    expect(proposed).toContain(pinOf(bank.genuine));
    await expect
      .poll(() => lab.shell('gateway', command('learn', 'propose', '--state', 'learned.json', '--observations', '3')))
      .toBe(proposed);

    // Pasted as it is: a configuration is JSON with comments.
    const config = JSON.stringify({ version: 1, ...configuration({}), pinsets: [] });
    lab.write('tlspin.json', config.replace('"pinsets":[]', `"pinsets": ${proposed}`));
    expect(output('ctl', 'reload')).toContain('+ pinset www.bank.example');
    expect(await request()).toMatchObject({ error: null });
    await serve(bank.forgedChain);
    expect((await request()).error).not.toBeNull();
    await expect.poll(() => reasons().slice(3)).toEqual(['pin-match', 'pin-mismatch']);
  });

  it('is forgotten in the file where no engine runs, and never beside one that does', async () => {
    await start();
    await serve(bank.genuineChain);
    for (let i = 0; i < 3; i++) await request();
    await anomaly('learn.promoted');
    const offline = ['learn', 'forget', NAME, '--state', 'learned.json'];
    expect(attemptAnywhere(...offline)).toEqual({
      code: 1,
      text: 'error: learned.json is kept by a tlspin that runs: ask that one, with --control SOCKET\n',
    });
    await engine.kill();
    expect(attemptAnywhere('learn', 'forget', NAME, '-c', 'tlspin.json')).toMatchObject({
      code: 0,
      text: expect.stringContaining(`forgotten: ${AT}`) as string,
    });
    await engine.run();
    await serve(bank.forgedChain);
    expect(await request()).toMatchObject({ error: null });
  });

  it('is nobody’s for a second engine', async () => {
    await start();
    const second = lab.start('gateway', [...TLSPIN, ...`run -c ${lab.path('tlspin.json')} --queue 9`.split(' ')]);
    expect(await second.ended).toEqual({ code: 1, signal: null });
    expect(second.errors).toContain('is kept by a tlspin that runs');
  });
});

describe('a server in the middle', () => {
  const CLIENTS = {
    'node, after its Finished,': (ca: string) => requestOf(ca).then(([outcome]) => outcome!),
    curl: (ca: string) => requestWithCurl(lab, 'client', { host: lab.address('server'), servername: NAME, ca }),
    openssl: (ca: string) => requestWithOpenssl(lab, 'client', { host: lab.address('server'), servername: NAME, ca }),
  };

  describe.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s', (version) => {
    it.each(Object.keys(CLIENTS) as (keyof typeof CLIENTS)[])('that %s refuses teaches nothing', async (which) => {
      await start();
      await serve(bank.forgedChain, { maxVersion: version });
      // A client that knows the honest authority alone.
      for (let i = 0; i < 4; i++) expect((await CLIENTS[which](bank.issuer.cert)).error).not.toBeNull();
      await engine.logged(4);
      expect(await CLIENTS[which](bank.ca)).toMatchObject({ error: null });
      await expect.poll(() => shown()).toMatchObject([{ host: AT, learned: { observations: 1 } }]);
      expect(engine.anomalies).toEqual([]);
    });
  });

  it('that signs for unrelated hosts with one key is flagged, neither promoted nor proposed', async () => {
    await start();
    const proxy = bank.shop.authority('proxy', { key: 'rsa' });
    const leaf = (name: string): Identity => {
      const { cert, key } = bank.shop.leaf(`proxied-${name}`, { issuer: proxy, names: [name] });
      return { cert: bank.shop.chain(`proxied-${name}`, cert, proxy.cert), key };
    };
    await serve(leaf(NAME));
    await startTlsServer(lab, 'server', { identity: leaf(SHOP), port: 8443 });
    for (let i = 0; i < 5; i++) {
      await request({ rejectUnauthorized: false });
      await request({ rejectUnauthorized: false, servername: SHOP, port: 8443 });
    }
    expect(await anomaly('learn.shared-key')).toMatch(
      /spki-sha256:\S+ \(.*CN=proxy\) signs for bank\.example and shop\.test/,
    );
    await expect
      .poll(() => shown())
      .toMatchObject([{ learned: { observations: 5 } }, { learned: { observations: 5 } }]);
    expect(engine.anomalies.map(({ anomaly: { event } }) => event)).toEqual(['learn.shared-key']);
    expect(new Set(reasons())).toEqual(new Set(['learning']));
    expect(JSON.parse(output('learn', 'propose', '--json'))).toMatchObject({
      pinsets: [],
      warnings: [{ host: AT }, { host: `${SHOP}:8443` }],
    });
    expect(output('learn', 'propose')).toContain('looks like an interception proxy');
  });

  it('is not seen often by who is seen by many at once', async () => {
    await start({}, { spacing: 60 });
    await serve(bank.forgedChain);
    await Promise.all(Array.from({ length: 6 }, () => request()));
    await engine.logged(6);
    await expect.poll(() => shown()).toMatchObject([{ learned: { observations: 1, promoted: null } }]);
  });
});

describe('learned is what is seen', () => {
  it.each<[string, string, () => Promise<unknown>, object?]>([
    ['in TLS 1.2', 'observed', () => serve(bank.genuineChain)],
    [
      'in TLS 1.2 without a key exchange to sign, once the client has believed the server’s Finished',
      'observed',
      () => serve(bank.genuineChain, { ciphers: 'AES128-SHA256' }),
    ],
    ['by a probe, of TLS 1.3', 'probed', () => serve(bank.genuineChain, { maxVersion: 'TLSv1.3' })],
    [
      'in TLS 1.3 with a key log',
      'decrypted',
      () => serve(bank.genuineChain, { maxVersion: 'TLSv1.3' }),
      { tls13: 'keylog' },
    ],
  ])('%s', async (_what, evidence, serving, situations = {}) => {
    lab.write('keys.log', '');
    await start(situations, {}, { keylog: { file: 'keys.log' } });
    await serving();
    for (let i = 0; i < 4; i++) expect(await request({ keylog: lab.path('keys.log') })).toMatchObject({ error: null });
    const verdicts = await engine.logged(4);
    expect(verdicts.map(({ verdict }) => verdict.evidence)).toEqual(Array.from({ length: 4 }, () => evidence));
    expect(reasons()[3]).toBe(evidence === 'probed' ? 'probe-match' : 'pin-match');
    expect(shown()).toMatchObject([{ host: AT, learned: { promoted: { keys: [pinOf(bank.genuine).slice(12)] } } }]);
    await serve(bank.forgedChain, { maxVersion: evidence === 'observed' ? 'TLSv1.2' : 'TLSv1.3' });
    // What a probe found is remembered eight times as long, and once more, where it was found again and again.
    if (evidence === 'probed') await new Promise((resolve) => setTimeout(resolve, 10 * TTL_MS));
    expect((await request({ keylog: lab.path('keys.log') })).error).not.toBeNull();
    expect(await anomaly('learn.changed')).toContain(pinOf(bank.forged));
  });

  it('in DTLS', async () => {
    await start({}, {}, {}, ['--queue-udp']);
    const talk = async (identity: Identity): Promise<string> => {
      const dtls = ['openssl', 's_server', '-dtls', '-accept', '443', '-quiet'];
      const peer = lab.start('server', [...dtls, '-cert', identity.cert, '-key', identity.key]);
      await lab.listening('server', 443);
      const target = ['-connect', `${lab.address('server')}:443`, '-servername', NAME];
      const client = lab.start('client', ['timeout', '3', 'openssl', 's_client', '-dtls', ...target], { input: 'x\n' });
      await client.ended;
      await peer.stop('SIGKILL');
      return client.output;
    };
    for (let i = 0; i < 3; i++) expect(await talk(bank.genuine)).toContain('Verify return code');
    await anomaly('learn.promoted');
    await talk(bank.forged);
    expect(await anomaly('learn.changed')).toContain(pinOf(bank.forged));
    expect(engine.verdicts.at(-1)).toMatchObject({ proto: 'UDP', verdict: { action: 'drop', reason: 'pin-mismatch' } });
  });
});

describe('a reload', () => {
  it('keeps what was learned: what means nothing meanwhile is said, and means it again', async () => {
    await start();
    await serve(bank.genuineChain);
    for (let i = 0; i < 3; i++) await request();
    await anomaly('learn.promoted');
    await serve(bank.forgedChain);
    const reload = async (pinset: object, says: RegExp): Promise<void> => {
      lab.write('tlspin.json', JSON.stringify({ version: 1, ...configuration(pinset) }));
      output('ctl', 'reload');
      await engine.child.says(says);
    };
    await reload({ then: undefined }, /www\.bank\.example:443 is held no more .*no "then": "enforce"; .*keeps them/);
    expect(await request()).toMatchObject({ error: null });
    await reload({}, /reloaded/);
    expect((await request()).error).not.toBeNull();
    await reload({ match: { hosts: [SHOP, `*.${NAME}`] } }, /is held no more .*the pinset "devices" is not for it/);
    await reload({ match: { hosts: ['**.bank.example', SHOP] } }, /reloaded/);
    expect((await request()).error).not.toBeNull();
    expect(shown()).toMatchObject([{ host: AT, learned: { promoted: { keys: [pinOf(bank.genuine).slice(12)] } } }]);
  });
});

it('says each message of a flow that is learned from, where that is wanted', async () => {
  lab.write('tlspin.json', JSON.stringify({ version: 1, ...configuration({}) }));
  const args = ['run', '-c', lab.path('tlspin.json'), '--log', lab.path('verdicts.ndjson'), '--debug', NAME];
  const child = lab.start('gateway', [...TLSPIN, ...args]);
  await child.says(/bound/);
  lab.shell('gateway', `${[...TLSPIN, 'rules', '-c', lab.path('tlspin.json')].join(' ')} | sh`);
  await serve(bank.genuineChain);
  await request();
  await child.says(/Certificate\b.*www\.bank\.example/);
  await child.says(/ServerHelloDone/);
});

// ---- the stage ----

function configuration(pinset: object, learn: object = {}): object {
  return {
    control: { socket: 'control.sock' },
    learn: { file: 'learned.json', observations: 3, spacing: 0, ...learn },
    probe: { recheck: 0, ttl: TTL_MS, perClient: 1000, perDestination: 1000 },
    ports: [443, 8443],
    pinsets: [
      { name: 'devices', match: { hosts: ['**.bank.example', SHOP] }, mode: 'learn', then: 'enforce', ...pinset },
    ],
  };
}

async function start(pinset: object = {}, learn: object = {}, more: object = {}, rules: string[] = []): Promise<void> {
  engine = await Engine.start(lab, { config: { ...configuration(pinset, learn), ...more }, rules });
}

/** In the place of the server that was there. */
async function serve(identity: Identity, options: object = {}): Promise<void> {
  await server?.stop('SIGKILL');
  server = await startTlsServer(lab, 'server', { identity, ...options });
}

const requestOf = (ca: string, options: object = {}) =>
  requestWithNode(lab, 'client', { host: lab.address('server'), servername: NAME, ca, ...options });
const request = async (options: object = {}) => (await requestOf(bank.ca, options))[0]!;

const reasons = (): string[] => engine.verdicts.map(({ verdict }) => verdict.reason);

/** The detail of the last one of that kind, once there is one. */
async function anomaly(event: string): Promise<string> {
  const found = () => engine.anomalies.filter(({ anomaly: each }) => each.event === event);
  await expect.poll(() => found().length).toBeGreaterThan(0);
  return found().at(-1)!.anomaly.detail;
}

const command = (...args: string[]): string => `cd ${lab.directory} && ${[...TLSPIN, ...args].join(' ')}`;
const output = (...args: string[]): string => lab.shell('gateway', command(...args, '--control', 'control.sock'));
const attempt = (...args: string[]) => attemptAnywhere(...args, '--control', 'control.sock');

function attemptAnywhere(...args: string[]): { code: number; text: string } {
  const text = lab.shell('gateway', `(${command(...args)}) 2>&1 && echo '#0' || echo "#$?"`);
  return { code: Number(/#(\d+)\n$/.exec(text)?.[1]), text: text.replace(/#\d+\n$/, '') };
}

function shown(): unknown[] {
  return JSON.parse(output('learn', 'show', '--json')) as unknown[];
}

function configRecords(): Record<string, unknown>[] {
  const lines = readFileSync(lab.path('verdicts.ndjson'), 'utf8').split('\n').filter(Boolean);
  const records = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return records.filter((each) => each['event_type'] === 'config').map((each) => each['config'] as never);
}

const pinOf = ({ cert }: Identity): string => spkiPin(cert).replace('sha256//', 'spki-sha256:');
