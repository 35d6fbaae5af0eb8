/**
 * TLS 1.3, where nobody on the wire sees the certificate: a probe shows it, at the first contact, whatever the client
 * and the way to the server; and a client that believes everything gets not one octet of a forged one.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { beforeAll, describe, expect, it } from 'vitest';

import { NAME } from '../support/lab/bank.ts';
import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { CLIENTS, describeClients } from '../support/lab/clients.ts';
import { connmarks } from '../support/lab/engine.ts';
import { TcpClient } from '../support/lab/peers.ts';
import type { Outcome } from '../support/lab/peers.ts';
import { clientHelloOf } from '../support/memory-tls.ts';
import { handshake, readFlight, record } from '../support/tls-bytes.ts';

const MARK = { accept: 0x1000000, deny: 0x2000000 };
const GENUINE = 443;
const FORGED = 8443;
/** The same servers, reached with the gateway's address for the client's. */
const MASQUERADED = { [GENUINE]: 444, [FORGED]: 8444 };
/** Addresses that only the gateway knows: translated to the server's, and from the gateway's own as well. */
const [TRANSLATED, BOTH] = ['198.51.100.97', '198.51.100.98'];

beforeAll(async () => {
  const ports = [GENUINE, FORGED, ...Object.values(MASQUERADED)];
  await openScene(() => ({ ...bank.config, ports, probe: { recheck: 0 } }));
  lab.shell(
    'gateway',
    `iptables -t nat -A PREROUTING -p tcp -d ${TRANSLATED} -j DNAT --to-destination ${lab.address('server')}
     iptables -t nat -A PREROUTING -p tcp -d ${BOTH} -j DNAT --to-destination ${lab.address('server')}
     iptables -t nat -A POSTROUTING -o right0 -m conntrack --ctorigdst ${BOTH} -j MASQUERADE
     iptables -t nat -A POSTROUTING -o right0 -p tcp -m multiport --dports ${Object.values(MASQUERADED)} -j MASQUERADE`,
  );
  const [genuine, forged] = [{ ...bank.genuineChain, body: 50_000 }, { ...bank.forgedChain }];
  await openFaces({
    [GENUINE]: [genuine],
    [MASQUERADED[GENUINE]]: [genuine],
    [FORGED]: [forged],
    [MASQUERADED[FORGED]]: [forged],
  });
});

async function expectGenuine(outcome: Outcome): Promise<void> {
  expect(outcome).toMatchObject({ error: null });
  expect(outcome.bytes).toBeGreaterThanOrEqual(50_000);
  const record = await scene.verdict();
  expect(record).toMatchObject({
    verdict: { action: 'accept', reason: 'probe-match', pinset: 'bank', mode: 'enforce', evidence: 'probed' },
    tls: { sni: NAME, version: 'TLS 1.3', fingerprint: fingerprintOf(bank.genuine.cert) },
  });
  expect(connmarks(lab, 'gateway', { port: record.dest_port, clientPort: record.src_port })).toEqual([MARK.accept]);
}

async function expectForged(outcome: Outcome): Promise<void> {
  expect(outcome.bytes).toBe(0);
  expect(outcome.error).toMatch(/alert|ALERT|bad certificate/);
  expect(outcome.millis).toBeLessThan(3_000);
  expect(await scene.verdict()).toMatchObject({
    verdict: { action: 'tls-alert', reason: 'probe-mismatch', pinset: 'bank', evidence: 'probed', matched: null },
    tls: { sni: NAME, version: 'TLS 1.3', fingerprint: fingerprintOf(bank.forged.cert) },
  });
}

function fingerprintOf(file: string): string {
  return new X509Certificate(readFileSync(file)).fingerprint.toLowerCase();
}

describeClients((ask) => {
  it.each([4, 6] as const)('reads all of the genuine server over IPv%d at first contact', async (version) => {
    await expectGenuine(await ask(lab, 'client', requestTo(GENUINE, { host: lab.address('server', version) })));
    expect(faces.connections().sort()).toEqual([lab.address('client', version), gatewayAddress(version)].sort());
  });

  it.each([4, 6] as const)('hears an alert from the forged one over IPv%d, and nothing of it', async (version) => {
    await expectForged(await ask(lab, 'client', requestTo(FORGED, { host: lab.address('server', version) })));
    const client = lab.address('client', version);
    expect(faces.events.some(({ event, from }) => event === 'secure' && from === client)).toBe(false);
  });
});

/** As the server sees it. */
function gatewayAddress(version: 4 | 6): string {
  return version === 4 ? '198.51.100.1' : '2001:db8:2::1';
}

describe('address translation on the gateway', () => {
  it.each([
    ['DNAT', () => ({ host: TRANSLATED, genuine: GENUINE, forged: FORGED })],
    ['SNAT', () => ({ host: lab.address('server'), genuine: MASQUERADED[GENUINE], forged: MASQUERADED[FORGED] })],
    ['both', () => ({ host: BOTH, genuine: GENUINE, forged: FORGED })],
  ])('%s: the server that the client gets is the one that is asked', async (_, where) => {
    const { host, genuine, forged } = where();
    await expectGenuine(await CLIENTS.curl(lab, 'client', requestTo(genuine, { host })));
    scene.begin();
    await expectForged(await CLIENTS.curl(lab, 'client', requestTo(forged, { host })));
  });
});

describe('a client that believes everything', () => {
  const greet = async (port: number, version: 4 | 6): Promise<Buffer> => {
    const send = record(22, handshake(1, await clientHelloOf({ servername: NAME, ALPNProtocols: ['tlspin'] })), 0x0301);
    const host = lab.address('server', version);
    const { received } = await new TcpClient(lab, 'client', { host, port, send, wait: 700 }).outcome();
    return received;
  };

  it.each([4, 6] as const)('gets an alert over IPv%d and no octet more', async (version) => {
    const received = await greet(FORGED, version);
    // Repeated where the packet that carries it could not be made shorter.
    expect(received.length).toBeGreaterThanOrEqual(7);
    const alert = Buffer.from([21, 3, 3, 0, 2, 2, 42]);
    for (let at = 0; at < received.length; at++) expect(received[at]).toBe(alert[at % alert.length]);
    expect((await scene.verdict()).verdict.reason).toBe('probe-mismatch');
  });

  it('gets the genuine server’s flight as it was sent', async () => {
    const received = await greet(GENUINE, 4);
    const { handshake: hello, alerts } = readFlight(received);
    expect(hello[0]).toBe(2);
    expect(alerts).toEqual([]);
    expect(received.includes(Buffer.from([23, 3, 3]))).toBe(true);
    expect((await scene.verdict()).verdict.reason).toBe('probe-match');
  });
});
