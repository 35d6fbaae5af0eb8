/** Three gateways, three servers of NATS and whoever pushes: what each gateway has in force, and what it does not take. */
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { Fleet } from '../support/lab/fleet.ts';
import { Lab } from '../support/lab/lab.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { lacks } from '../support/programs.ts';

const OTHER = 'spki-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=';
const LISTED = `cert-sha1:${'a'.repeat(40)}`;
const PATIENCE = { timeout: 20_000, interval: 300 };
/** As many seconds as TLSPIN_PARTITION says (30 in the long form). */
const PARTITION_MS = Number(process.env['TLSPIN_PARTITION'] ?? 3) * 1_000;
const HOSTS = ['client', 'gateway', 'server', 'gw2', 'gw3'];

describe.skipIf(lacks('nats-server'))('a fleet', () => {
  it('has what is pushed in force everywhere, with the files that it refers to', async () => {
    lab.write('listed.txt', `${bank.pin}\n`);
    document('one.json', { pins: ['@bank', OTHER] }, { lists: { bank: { file: 'listed.txt', kind: 'spki-sha256' } } });
    const { status, text } = fleet.push('one.json');
    expect(text).toMatch(/^office: version 1 is on its way to all gateways\ngateway\t1\t.*\ngw2\t1\t.*\ngw3\t1\t/);
    expect(status).toBe(0);
    expect(fleet.versions).toBe('1, 1, 1');
    await visit();
  });

  it('tries a document on one gateway', async () => {
    document('two.json', { pins: [bank.pin, OTHER] });
    expect(fleet.push('two.json', '--canary', 'gw3').status).toBe(0);
    expect(fleet.versions).toBe('1, 1, 2');
    expect(fleet.push('two.json').status).toBe(0);
    expect(fleet.versions).toBe('3, 3, 3');
  });

  it('refuses where it would deny what passed of late, and where it is not valid beside a file of the gateway', async () => {
    document('wrong.json', { pins: [OTHER] }, {}, [{ name: 'own', match: { hosts: ['x.example'] }, pins: [OTHER] }]);
    const { status, text } = fleet.push('wrong.json');
    expect(status).toBe(1);
    expect(text).toMatch(/gateway: refused 4: it would deny \d+ of \d+ decisions of late .*www\.bank\.example/);
    expect(text).toMatch(/gw2: refused 4: .*\n {2}wrong\.json:\d+:\d+: error: "own" is the name of the pinset at /);
    expect(fleet.versions).toBe('3, 3, 4');
    expect(await fleet.conditions('gateway')).toMatch(/fleet\.refused/);
  });

  it('has a list changed on all where it is changed on one', async () => {
    lists('gateway', 'add', LISTED);
    await expect.poll(() => lists('gw2'), PATIENCE).toBe(LISTED);
    lists('gw2', 'rm', LISTED);
    await expect.poll(() => [lists('gateway'), lists('gw3')], PATIENCE).toEqual(['', '']);
  });

  it('says in one place what was decided, and where', async () => {
    document('forced.json', { pins: [OTHER, OTHER.replace('AA', 'BB')] });
    expect(fleet.push('forced.json', '--force').status).toBe(0);
    expect(fleet.versions).toBe('5, 5, 5');
    const [refused] = await visitors();
    expect(refused!.error).not.toBeNull();
    const ask = (...args: string[]) => fleet.run(...args, '-c', lab.path('admin.json')).text;
    await expect
      .poll(() => ask('verdicts', '--denied'), PATIENCE)
      .toMatch(/^gateway {7}20\S+Z .* tls-alert +pin-mismatch +bank +www\.bank\.example\n$/);
    const told = ask('why', NAME);
    expect(told).toMatch(/^www\.bank\.example: \d+ decisions, 1 of them denied\nread: the fleet office\n/);
    expect(told).toContain('tls-alert, pin-mismatch, pinset bank: once\n');
    expect(told).toContain('  gateways: gateway (1)\n');
  });

  it('goes back to a version of before', async () => {
    const rollback = ['rollback', '3', '-c', lab.path('admin.json'), '--key', lab.path('office.key')];
    expect(fleet.run(...rollback)).toMatchObject({
      status: 0,
      text: expect.stringContaining('version 6, which is version 3 again,') as string,
    });
    expect(fleet.versions).toBe('6, 6, 6');
    expect(await fleet.conditions('gateway')).not.toContain('fleet.');
    await visit();
  });

  it('has what both sides of a partition have changed, and what was pushed meanwhile, once that is over', async () => {
    const [here, there] = ['b', 'c'].map((digit) => `cert-sha1:${digit.repeat(40)}`);
    lists('gateway', 'add', LISTED);
    await expect.poll(() => lists('gw2'), PATIENCE).toBe(LISTED);
    fleet.cutOff('gw2');
    lists('gateway', 'add', here!);
    lists('gw2', 'add', there!);
    lists('gw2', 'rm', LISTED);
    document('partition.json', { pins: [bank.pin, OTHER] });
    expect(fleet.push('partition.json').text).toContain('version 7 is on its way to all gateways');
    expect(fleet.versions).toBe('7, 6, 7');
    await sleep(PARTITION_MS);
    expect(['gateway', 'gw2', 'gw3'].map((host) => lists(host))).toEqual([
      `${LISTED}\n${here}`,
      there,
      `${LISTED}\n${here}`,
    ]);
    fleet.heal('gw2');
    const after = { timeout: 90_000, interval: 300 };
    await expect.poll(() => fleet.versions, after).toBe('7, 7, 7');
    for (const host of ['gateway', 'gw2', 'gw3']) {
      await expect.poll(() => lists(host).split('\n').sort().join(' '), after).toBe(`${here} ${there}`);
    }
  }, 300_000);

  it.each(['forge', 'unsigned', 'replay'] as const)('takes nothing of whoever has the brokers (%s)', async (what) => {
    fleet.intrude(what);
    await expect.poll(() => fleet.conditions('gw2')).toMatch(REFUSALS[what]);
    expect(fleet.versions).toBe('7, 7, 7');
  });

  it('takes no old document after a restart either', async () => {
    await fleet.stopGateway('gw3');
    await fleet.startGateway('gw3');
    await expect.poll(() => fleet.conditions('gw3')).toMatch(REFUSALS.replay);
    expect(fleet.versions).toBe('7, 7, 7');
  });

  it('goes on with a server less, and heals what was put in the place of the documents', async () => {
    await fleet.stopBrokers(0);
    document('seven.json', { pins: [bank.pin, OTHER] });
    await expect
      .poll(() => fleet.push('seven.json'), { timeout: 40_000, interval: 500 })
      .toMatchObject({ status: 0, text: expect.stringContaining('on its way') as string });
    // What a gateway is told by a server that is gone comes by another one.
    await expect.poll(() => new Set(fleet.versions.split(', ')).size, { timeout: 40_000 }).toBe(1);
    expect(await fleet.conditions('gw2')).toBe('');
  });

  it('refuses whoever shows other credentials, or signs with another key', () => {
    fleet.configure('stranger', {}, { nkey: 'stranger.nkey' });
    expect(fleet.run('status', '-c', lab.path('stranger.json'))).toMatchObject({
      status: 1,
      text: expect.stringContaining('the server refuses these credentials') as string,
    });
    expect(fleet.push('seven.json', '--key', lab.path('stranger.key')).text).toContain('no gateway trusts this key');
  });

  it('starts without servers from what it had, and says so', async () => {
    await fleet.stopBrokers(1, 2);
    await fleet.stopGateway('gateway');
    await fleet.startGateway('gateway');
    await expect.poll(() => fleet.conditions('gateway')).toMatch(/^fleet\.unreachable: /m);
    await visit();
  });
});

const REFUSALS = {
  forge: /fleet\.refused: .*its signature is not of this document/,
  unsigned: /fleet\.refused: .*it is not signed at all/,
  replay: /fleet\.refused: .*version \d+ was here before: it is an old one, played again/,
};

// ---- the stage ----

const SHARED = { key: 'fleet.key', lists: ['0'], share: ['verdicts'] };
let bank: Bank;
let lab: Lab;
let fleet: Fleet;

function document(file: string, fields: object, more: object = {}, pinsets: readonly object[] = []): void {
  const bankPinset = { name: 'bank', match: { hosts: [NAME] }, ...fields };
  lab.write(file, JSON.stringify({ version: 1, pinsets: [bankPinset, ...pinsets], ...more }, null, 2));
}

function lists(host: string, ...args: string[]): string {
  return lab.run(host, ...TLSPIN, 'list', '0', ...args, '--control', lab.path(`${host}.sock`)).trim();
}

/** The client's, to whom the pinned server is held. */
async function visit(): Promise<void> {
  expect(await visitors()).toMatchObject([{ error: null }]);
}

function visitors() {
  return requestWithNode(lab, 'client', { host: lab.address('server'), servername: NAME, ca: bank.ca });
}

beforeAll(async () => {
  if (lacks('nats-server')) return;
  bank = makeBank();
  lab = new Lab({ hosts: HOSTS });
  fleet = new Fleet(lab);
  fleet.configure('admin', {}, { key: 'fleet.key' });
  await startTlsServer(lab, 'server', { identity: bank.genuineChain });
  lab.write('fleet.key', 'k'.repeat(64));
  const lists = (host: string) => ({ lists: { 0: { file: `${host}.list`, writable: true } } });
  fleet.configure('gateway', lists('gateway'), SHARED);
  const own = { name: 'own', match: { hosts: ['own.example'] }, pins: [OTHER, bank.pin] };
  fleet.configure('gw2', { pinsets: [own], ...lists('gw2') }, SHARED);
  fleet.configure('gw3', lists('gw3'), SHARED);
  await fleet.startBrokers(0, 1, 2);
  await Promise.all(['gateway', 'gw2', 'gw3'].map((host) => fleet.startGateway(host)));
  for (const host of ['gateway', 'gw2', 'gw3']) {
    lab.shell(host, lab.run(host, process.execPath, 'dist/cli/main.js', 'rules', '-c', lab.path(`${host}.json`)));
  }
}, 120_000);

afterAll(async () => {
  await lab?.close();
  bank?.remove();
});
