/**
 * Servers that are slow, silent or gone, for the client, for the probe or for both, and servers that answer the two
 * differently: nothing waits beyond its deadline, and the log says on what a decision rests.
 */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { beforeAll, describe, expect, it } from 'vitest';

import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { requestWithNode } from '../support/lab/peers.ts';
import type { NodeOutcome } from '../support/lab/peers.ts';

/** Milliseconds. */
const TIMEOUT = 1_000;
const PORT = {
  slow: 4430,
  paused: 4429,
  silent: 4431,
  resetting: 4432,
  silentToProbe: 4433,
  resettingProbe: 4434,
  closingProbe: 4435,
  garbageToProbe: 4436,
  refusingProbe: 4437,
  droppingProbe: 4438,
  silentToClient: 4439,
  genuineToProbe: 4440,
  forgedToProbe: 4441,
  missing: 4442,
};
/** The gateway, as the server sees it. */
const GATEWAY = '198.51.100.1';

beforeAll(async () => {
  const probe = { recheck: 0, timeout: TIMEOUT };
  const limits = { handshakeTimeout: 3_000 };
  await openScene(() => ({ ...bank.config, ports: ['4429-4499'], probe, limits }));
  const [genuine, forged] = [
    { ...bank.genuineChain, body: 50 },
    { ...bank.forgedChain, body: 60 },
  ];
  const probed = { from: GATEWAY };
  await openFaces({
    [PORT.slow]: [{ ...genuine, delay: 500 }],
    [PORT.paused]: [{ ...genuine, delay: 500 }],
    [PORT.silent]: [{ does: 'silent' }],
    [PORT.resetting]: [{ does: 'reset' }],
    [PORT.silentToProbe]: [{ ...probed, does: 'silent' }, genuine],
    [PORT.resettingProbe]: [{ ...probed, does: 'reset' }, genuine],
    [PORT.closingProbe]: [{ ...probed, does: 'close' }, genuine],
    [PORT.garbageToProbe]: [{ ...probed, does: 'garbage' }, genuine],
    [PORT.refusingProbe]: [genuine],
    [PORT.droppingProbe]: [genuine],
    [PORT.silentToClient]: [{ ...genuine, ...probed }, { does: 'silent' }],
    [PORT.genuineToProbe]: [{ ...genuine, ...probed }, forged],
    [PORT.forgedToProbe]: [{ ...forged, ...probed }, genuine],
  });
  lab.shell(
    'server',
    `iptables -A INPUT -p tcp -s ${GATEWAY} --dport ${PORT.refusingProbe} -j REJECT --reject-with tcp-reset
     iptables -A INPUT -p tcp -s ${GATEWAY} --dport ${PORT.droppingProbe} -j DROP`,
  );
});

async function request(port: number, options: object = {}): Promise<NodeOutcome> {
  return (await requestWithNode(lab, 'client', requestTo(port, options)))[0]!;
}

describe('both client and probe', () => {
  it('slow: what comes in time counts', async () => {
    expect(await request(PORT.slow)).toMatchObject({ error: null });
    const { verdict } = await scene.verdict(PORT.slow);
    expect(verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
  });

  it('slow: no time counts in which tlspin does not run', async () => {
    const { pid } = scene.engine.child;
    const answered = request(PORT.paused);
    await expect.poll(() => faces.connections(PORT.paused), { timeout: 5_000 }).toContain(GATEWAY);
    process.kill(pid!, 'SIGSTOP');
    await sleep(4_000);
    process.kill(pid!, 'SIGCONT');
    expect(await answered).toMatchObject({ error: null });
    const { verdict } = await scene.verdict(PORT.paused);
    expect(verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
  });

  it('silent: the client waits as it would without tlspin, and has nothing', async () => {
    expect(await request(PORT.silent, { timeout: 2_000 })).toMatchObject({ error: 'TIMEOUT', bytes: 0 });
    expect((await scene.verdict(PORT.silent)).verdict).toMatchObject({ reason: 'incomplete' });
  });

  it('resetting: the client is reset', async () => {
    expect(await request(PORT.resetting)).toMatchObject({ error: 'ECONNRESET', bytes: 0 });
  });

  it('not there: the client is refused', async () => {
    expect(await request(PORT.missing)).toMatchObject({ error: 'ECONNREFUSED', bytes: 0 });
    expect(scene.engine.verdicts.filter(({ dest_port: port }) => port === PORT.missing)).toEqual([]);
  });
});

describe('the probe alone: nobody knows who the client would get, and it is told so in time', () => {
  it.each<[string, number, string]>([
    ['silent', PORT.silentToProbe, 'probe.timeout.handshake'],
    ['resetting', PORT.resettingProbe, 'probe.closed.ECONNRESET'],
    ['closing', PORT.closingProbe, 'probe.closed'],
    ['answering something else', PORT.garbageToProbe, 'probe.protocol'],
    ['refusing', PORT.refusingProbe, 'probe.unreachable.ECONNREFUSED'],
    ['unreachable', PORT.droppingProbe, 'probe.timeout.connect'],
  ])('%s', async (_, port, fault) => {
    const outcome = await request(port);
    expect(outcome).toMatchObject({ error: expect.stringMatching(/ALERT/) as string, bytes: 0 });
    expect(outcome.millis).toBeLessThan(3 * TIMEOUT);
    const { verdict } = await scene.verdict(port);
    expect(verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-failed', evidence: 'none', matched: null });
    expect(verdict.fault).toContain(fault);
  });

  it('is not asked again at once: the failure is remembered', async () => {
    expect(await request(PORT.garbageToProbe)).toMatchObject({ bytes: 0 });
    expect((await scene.verdict(PORT.garbageToProbe)).verdict).toMatchObject({ reason: 'probe-failed' });
    expect((await scene.verdict(PORT.garbageToProbe)).verdict.held_us).toBeLessThan((TIMEOUT * 1000) / 2);
    expect(faces.connections(PORT.garbageToProbe)).not.toContain(GATEWAY);
  });
});

describe('the client alone', () => {
  it('silent: a probe that matches delivers nothing by itself', async () => {
    expect(await request(PORT.silentToClient, { timeout: 2_000 })).toMatchObject({ error: 'TIMEOUT', bytes: 0 });
    expect((await scene.verdict(PORT.silentToClient)).verdict).toMatchObject({ reason: 'incomplete' });
    expect(faces.connections(PORT.silentToClient)).toContain(GATEWAY);
  });
});

describe('one that answers the two differently', () => {
  const fingerprint = (file: string) => new X509Certificate(readFileSync(file)).fingerprint.toLowerCase();

  it('genuine to the probe, forged to the client: it passes, and the log says that a probe saw what it names', async () => {
    expect(await request(PORT.genuineToProbe)).toMatchObject({ error: null, bytes: expect.any(Number) as number });
    expect(await scene.verdict(PORT.genuineToProbe)).toMatchObject({
      verdict: { action: 'accept', reason: 'probe-match', evidence: 'probed' },
      tls: { fingerprint: fingerprint(bank.genuine.cert) },
    });
  });

  it('forged to the probe, genuine to the client: it is denied', async () => {
    expect(await request(PORT.forgedToProbe)).toMatchObject({ bytes: 0 });
    expect(await scene.verdict(PORT.forgedToProbe)).toMatchObject({
      verdict: { action: 'tls-alert', reason: 'probe-mismatch', evidence: 'probed' },
      tls: { fingerprint: fingerprint(bank.forged.cert) },
    });
  });
});
