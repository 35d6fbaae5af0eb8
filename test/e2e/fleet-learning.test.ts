/**
 * Three gateways that learn together: what two of them saw makes a host settled on the third, and a man in the middle near
 * one of them is never learned there, since nobody else has seen his key.
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

const SHOP = 'shop.bank.example';
const GATEWAYS = ['gateway', 'gw2', 'gw3'];
const PATIENCE = { timeout: 20_000, interval: 200 };

describe.skipIf(lacks('nats-server'))('what gateways learn together', () => {
  it('makes a host settled where one of them alone has not seen it often enough', async () => {
    expect(await visit('far', NAME)).toMatchObject([{ error: null }]);
    expect(await visit('client', NAME)).toMatchObject([{ error: null }]);
    await expect
      .poll(() => learned('gateway'), PATIENCE)
      .toMatch(/gw2 \(gw2\) was shown \S+ 1 ×, gw3 \(gw3\) was shown/);
    expect(anomalies('gateway')).toEqual([]);
    expect(await visit('client', NAME)).toMatchObject([{ error: null }]);
    const promoted = `devices: ${NAME}:443 is held to ${pinOf(bank.genuine.cert)} from now on, seen 4 times, with what gw2 and gw3 saw`;
    await expect.poll(() => anomalies('gateway'), PATIENCE).toEqual([['learn.promoted', promoted]]);
    expect(learned('gateway')).toMatch(/promoted, seen 2 ×/);
  });

  it('is nothing that a man in the middle near one of them shows, and it is said who saw what', async () => {
    lab.shell('server', 'iptables -t nat -A PREROUTING -i left0 -p tcp --dport 443 -j REDIRECT --to-ports 8443');
    for (let i = 0; i < 4; i++) expect(await visit('client', SHOP)).toMatchObject([{ error: null }]);
    for (let i = 0; i < 3; i++) expect(await visit('far', SHOP)).toMatchObject([{ error: null }]);
    const [forged, genuine] = [pinOf(bank.forged.cert), pinOf(bank.genuine.cert)];
    await expect.poll(() => learned('gateway'), PATIENCE).toContain(`gw3 (gw3) was shown ${genuine}`);
    await expect.poll(() => learned('gw2'), PATIENCE).toContain(`gateway (gateway) was shown ${forged}`);
    const said = `devices: ${SHOP}:443 has other keys elsewhere: gateway (gateway) was shown ${forged}, gw2 (gw2) was shown ${genuine}, gw3 (gw3) was shown ${genuine}`;
    // It is said by what is seen next, for which the server has to have been asked in time.
    await expect
      .poll(async () => {
        expect(await visit('client', SHOP)).toMatchObject([{ error: null }]);
        return anomalies('gateway').at(-1);
      }, PATIENCE)
      .toEqual(['learn.disputed', said]);
    // Where nobody is in the middle it is held to its key.
    const promotions = (host: string) => anomalies(host).filter(([event]) => event === 'learn.promoted');
    await expect
      .poll(async () => {
        await visit('far', SHOP);
        return ['gw2', 'gw3'].map((host) => promotions(host).some(([, detail]) => detail.includes(SHOP)));
      }, PATIENCE)
      .toEqual([true, true]);
    expect(promotions('gateway')).toHaveLength(1);
    // And what was learned before he came holds.
    const [refused] = await visit('client', NAME);
    expect(refused!.error).not.toBeNull();
    for (const host of GATEWAYS) expect(await fleet.conditions(host)).not.toMatch(/fleet\./);
  });
});

// ---- the stage ----

let bank: Bank;
let lab: Lab;
let fleet: Fleet;

const pinOf = (cert: string) => spkiPin(cert).replace('sha256//', 'spki-sha256:');

function visit(client: string, servername: string) {
  return requestWithNode(lab, client, { host: lab.address('server'), servername, ca: bank.ca });
}

const learned = (host: string) => lab.run(host, ...TLSPIN, 'learn', 'show', '--control', lab.path(`${host}.sock`));

function anomalies(host: string): (readonly [event: string, detail: string])[] {
  const lines = readFileSync(lab.path(`${host}.ndjson`), 'utf8')
    .split('\n')
    .slice(0, -1);
  const records = lines.map((line) => JSON.parse(line) as { anomaly?: { event: string; detail: string } });
  return records.flatMap(({ anomaly }) =>
    anomaly?.event.startsWith('learn.') === true ? [[anomaly.event, anomaly.detail] as const] : [],
  );
}

beforeAll(async () => {
  if (lacks('nats-server')) return;
  bank = makeBank([NAME, SHOP]);
  // Who is behind gw3 passes gw2 as well: each sees the connection by itself.
  lab = new Lab({ hosts: ['client', 'gateway', 'server', 'gw2', 'gw3', 'far'] });
  fleet = new Fleet(lab);
  await startTlsServer(lab, 'server', { identity: bank.genuineChain });
  await startTlsServer(lab, 'server', { identity: bank.forgedChain, port: 8443 });
  lab.write('fleet.key', 'k'.repeat(64));
  const pinsets = [{ name: 'devices', match: { hosts: [NAME, SHOP] }, mode: 'learn', then: 'enforce' }];
  for (const host of GATEWAYS) {
    const learn = { file: `learned-${host}.json`, observations: 4, spacing: 0 };
    fleet.configure(host, { pinsets, learn }, { key: 'fleet.key', share: ['learned'], corroborate: 2 });
  }
  await fleet.startBrokers(0, 1, 2);
  await Promise.all(GATEWAYS.map((host) => fleet.startGateway(host)));
  for (const host of GATEWAYS) {
    lab.shell(host, lab.run(host, ...TLSPIN, 'rules', '-c', lab.path(`${host}.json`)));
  }
}, 120_000);

afterAll(async () => {
  await lab?.close();
  bank?.remove();
});
