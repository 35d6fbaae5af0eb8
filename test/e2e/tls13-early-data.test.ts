/**
 * Early data of TLS 1.3 (0-RTT) is the client's, and is read ahead of any handshake: it waits with its hello for the
 * probe, so that a forged server gets not one octet of either.
 */
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';

import type { Identity } from '../../src/runtime/demo/certificates.ts';
import type { Child } from '../../src/runtime/demo/child.ts';
import { pinset } from '../support/lab/bank.ts';
import { bank, lab, openScene, scene } from '../support/lab/bank-scene.ts';
import { startOpensslServer } from '../support/lab/openssl.ts';

const HOLD = 'hold.bank.example';
const ACCEPT = 'accept.bank.example';
const DENY = 'deny.bank.example';
const ELSE = 'else.bank.example';
const EARLY = 'transfer-everything-to-the-bearer';
const PORT = { genuine: 4430, forged: 4431, silent: 4432 };

const servers = new Map<number, Child>();
beforeAll(async () => {
  await openScene(
    () => {
      lab.withoutOffload('client', 'gateway', 'server');
      lab.write('early', EARLY);
      const pins = [bank.pin];
      return {
        pinsets: [
          pinset({ name: 'hold', match: { hosts: [HOLD] }, pins }),
          pinset({ name: 'accept', match: { hosts: [ACCEPT] }, pins, earlyData: 'accept' }),
          pinset({ name: 'deny', match: { hosts: [DENY] }, pins, earlyData: 'deny' }),
          pinset({ name: 'else', match: { hosts: [ELSE] }, pins, tls13: 'probe-else-accept' }),
        ],
        ports: ['4430-4499'],
        probe: { recheck: 0, perDestination: 600, perClient: 600, timeout: 1_500 },
      };
    },
    { names: [HOLD, ACCEPT, DENY, ELSE] },
  );
  await serve(PORT.genuine, bank.genuine);
  await serve(PORT.forged, bank.forged);
  await serve(PORT.silent, bank.genuine);
  const gateway = lab.address('server').replace(/\d+$/, '1');
  const probes = ['-s', gateway, '-p', 'tcp', '--dport', `${PORT.silent}`];
  lab.run('server', 'iptables', '-w', '-A', 'INPUT', ...probes, '-j', 'DROP');
  for (const port of Object.values(PORT)) {
    const longer = ['-m', 'length', '--length', `${LONGEST_EMPTY + 1}:65535`];
    const rule = ['-s', lab.address('client'), '-p', 'tcp', '--dport', `${port}`, ...longer];
    lab.run('server', 'iptables', '-w', '-A', 'INPUT', ...rule);
  }
});
beforeEach(() => void lab.run('server', 'iptables', '-w', '-Z', 'INPUT'));

/** Of a packet that carries no data, in octets: IPv4 and TCP with all options. */
const LONGEST_EMPTY = 80;

async function serve(port: number, identity: Identity): Promise<void> {
  const args = ['-early_data', '-no_anti_replay'];
  servers.set(port, await startOpensslServer(lab, 'server', { identity, port, page: false, args }));
}

/** The client's packets with data that reached the server's host. */
function arrived(port: number): number {
  const lines = lab.run('server', 'iptables', '-w', '-nvxL', 'INPUT').split('\n');
  return Number(/^\s*(\d+)/.exec(lines.find((line) => line.includes(`dpt:${port} `))!)![1]);
}

/** openssl's client, which says nothing besides; for as long as the server may have something to say. */
async function connect(host: string, servername: string, port: number, ...args: string[]): Promise<string> {
  const target = ['-connect', `${lab.address('server')}:${port}`, '-servername', servername];
  const command = ['timeout', '8', 'openssl', 's_client', ...target, ...args].join(' ');
  const child = lab.start(host, ['sh', '-c', `sleep ${SECONDS} | ${command}`]);
  await child.ended;
  return child.output + child.errors;
}
const SECONDS = 1;

/** With a session that the server gave out, of which the gateway has seen nothing. */
async function sendEarly(servername: string, port: number): Promise<{ said: string; heard: () => string }> {
  const file = lab.path(`session-${servername}-${port}`);
  await connect('server', servername, port, '-sess_out', file);
  const before = servers.get(port)!.output.length;
  const said = await connect('client', servername, port, '-sess_in', file, '-early_data', lab.path('early'));
  return { said, heard: () => servers.get(port)!.output.slice(before) };
}

describe('hold', () => {
  it('the genuine server reads it, once it is known to be genuine', async () => {
    const { said, heard } = await sendEarly(HOLD, PORT.genuine);
    expect(said).toContain('Early data was accepted');
    expect(heard()).toContain(EARLY);
    expect(arrived(PORT.genuine)).toBeGreaterThan(0);
    const { verdict } = await scene.verdict();
    expect(verdict).toMatchObject({ action: 'accept', reason: 'probe-match', evidence: 'probed' });
  });

  it('not one octet of the client’s reaches the forged one, and the client is told', async () => {
    const { said, heard } = await sendEarly(HOLD, PORT.forged);
    expect(said).toMatch(/alert bad certificate/);
    expect(heard()).not.toContain(EARLY);
    expect(arrived(PORT.forged)).toBe(0);
    const { verdict } = await scene.verdict();
    expect(verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-mismatch', evidence: 'probed' });
  });

  it('nor one that does not answer a probe', async () => {
    const { said, heard } = await sendEarly(HOLD, PORT.silent);
    expect(said).toMatch(/alert access denied/);
    expect(heard()).not.toContain(EARLY);
    expect(arrived(PORT.silent)).toBe(0);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-failed' });
  });

  it('unless those pass too that do not', async () => {
    const { said, heard } = await sendEarly(ELSE, PORT.silent);
    expect(said).toContain('Early data was accepted');
    expect(heard()).toContain(EARLY);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'probe-failed' });
  });
});

describe('deny and accept', () => {
  it('deny: nobody gets any, and the client is told', async () => {
    const { said, heard } = await sendEarly(DENY, PORT.genuine);
    expect(said).toMatch(/alert access denied/);
    expect(heard()).not.toContain(EARLY);
    expect(arrived(PORT.genuine)).toBe(0);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'no-certificate' });
  });

  it('accept: anybody does', async () => {
    const { said, heard } = await sendEarly(ACCEPT, PORT.forged);
    expect(said).toContain('Early data was accepted');
    expect(heard()).toContain(EARLY);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'no-certificate' });
  });

  it('whoever sends none is judged as everywhere', async () => {
    for (const name of [DENY, ACCEPT]) {
      scene.begin();
      expect(await connect('client', name, PORT.forged)).toMatch(/alert bad certificate/);
      expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-mismatch' });
    }
  });
});
