/**
 * A man in the middle near one gateway, whose key is pinned as well: what he shows passes there, and another gateway is
 * shown something else.
 */
import { readFileSync } from 'node:fs';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { spkiPin } from '../../src/runtime/demo/certificates.ts';
import { type Bank, makeBank, NAME } from '../support/lab/bank.ts';
import { TLSPIN } from '../support/lab/engine.ts';
import { Fleet } from '../support/lab/fleet.ts';
import { Lab } from '../support/lab/lab.ts';
import { requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import { lacks } from '../support/programs.ts';

describe.skipIf(lacks('nats-server'))('witnesses of a fleet', () => {
  it('bear out what everybody is shown', async () => {
    await expect.poll(() => fleet.run('status', '-c', lab.path('admin.json')).text).toContain('gw2');
    expect(await visit()).toMatchObject([{ error: null }]);
    expect(logged()).toMatchObject([{ verdict: { action: 'accept', reason: 'probe-match' } }]);
    expect(await fleet.conditions('gateway')).not.toMatch(/fleet\./);
  });

  it('were shown something else than who is behind a man in the middle, who is refused', async () => {
    lab.shell('server', 'iptables -t nat -A PREROUTING -i left0 -p tcp --dport 443 -j REDIRECT --to-ports 8443');
    const shown = bank.pin.replace('sha256//', 'spki-sha256:');
    const [refused] = await visit();
    expect(refused!.error).not.toBeNull();
    await expect.poll(logged).toMatchObject([
      { verdict: { reason: 'probe-match' } },
      {
        anomaly: {
          event: 'probe.disputed',
          detail: expect.stringContaining(`gw2 (gw2) was shown ${shown}`) as string,
        },
      },
      { verdict: { action: 'tls-alert', reason: 'probe-inconsistent' } },
    ]);
  });
});

// ---- the stage ----

let bank: Bank;
let lab: Lab;
let fleet: Fleet;

function visit() {
  const of = { host: lab.address('server'), servername: NAME, ca: bank.ca, minVersion: 'TLSv1.3' };
  return requestWithNode(lab, 'client', of);
}

/** Of the gateway: what it decided, and what witnesses have said. */
function logged(): readonly object[] {
  const lines = readFileSync(lab.path('gateway.ndjson'), 'utf8').split('\n').slice(0, -1);
  const records = lines.map((line) => JSON.parse(line) as { verdict?: object; anomaly?: { event: string } });
  return records.filter(({ verdict, anomaly }) => verdict !== undefined || anomaly?.event === 'probe.disputed');
}

beforeAll(async () => {
  if (lacks('nats-server')) return;
  bank = makeBank();
  lab = new Lab({ hosts: ['client', 'gateway', 'server', 'gw2'] });
  fleet = new Fleet(lab);
  const of = { maxVersion: 'TLSv1.3' } as const;
  await startTlsServer(lab, 'server', { identity: bank.genuineChain, ...of });
  await startTlsServer(lab, 'server', { identity: bank.forgedChain, port: 8443, ...of });
  lab.write('fleet.key', 'k'.repeat(64));
  const pins = [bank.pin, { pin: spkiPin(bank.forged.cert), role: 'backup' }];
  const pinsets = [{ name: 'bank', match: { hosts: [NAME] }, pins }];
  const shared = { key: 'fleet.key' };
  fleet.configure('gateway', { pinsets, probe: { witnesses: 1, ttl: 0 } }, shared);
  fleet.configure('gw2', {}, { ...shared, share: ['probes'] });
  await fleet.startBrokers(0, 1, 2);
  await Promise.all(['gateway', 'gw2'].map((host) => fleet.startGateway(host)));
  lab.shell('gateway', lab.run('gateway', ...TLSPIN, 'rules', '-c', lab.path('gateway.json')));
}, 120_000);

afterAll(async () => {
  await lab?.close();
  bank?.remove();
});
