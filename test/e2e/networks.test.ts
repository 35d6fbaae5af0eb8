/** Networks as they are: small segments, losses, address translation, own flows, other people's marks and rules. */
import { describe, expect, it } from 'vitest';

import { NAME } from '../support/lab/bank.ts';
import { anotherLab, bank, lab } from '../support/lab/bank-of-each.ts';
import { connmarks, Engine } from '../support/lab/engine.ts';
import { requestWithCurl, requestWithNode, startTlsServer } from '../support/lab/peers.ts';
import type { Outcome } from '../support/lab/peers.ts';

const MARK = { mask: 0x3000000, accept: 0x1000000, deny: 0x2000000, told: 0x4000000 };
const GENUINE_PORT = 443;
const FORGED_PORT = 8443;

/** Without probes, whose connections would be among those that are looked at: the servers here speak TLS 1.2. */
const config = (): object => ({
  ...bank.config,
  pinned: { tls13: 'deny', resumed: 'bound' },
  ports: [GENUINE_PORT, FORGED_PORT],
});

/** Both servers, on one address. */
async function serve(body = 50_000): Promise<void> {
  await startTlsServer(lab, 'server', { identity: bank.genuineChain, port: GENUINE_PORT, body });
  await startTlsServer(lab, 'server', { identity: bank.forgedChain, port: FORGED_PORT, body });
}

const curl = (port: number, host = lab.address('server'), timeout = 10_000): Promise<Outcome> =>
  requestWithCurl(lab, 'client', { host, port, servername: NAME, ca: bank.ca, timeout });

/** The two outcomes that count, whatever the network. */
async function expectPinned(host?: string): Promise<void> {
  expect(await curl(GENUINE_PORT, host)).toMatchObject({ error: null, bytes: 50_000 });
  const forged = await curl(FORGED_PORT, host);
  expect(forged.bytes).toBe(0);
  expect(forged.error).toMatch(/alert/);
  expect(forged.millis).toBeLessThan(1_000);
}

describe('small segments', () => {
  it('an MTU of 300 octets and an initial window of two: the alert comes within a second', async () => {
    await anotherLab({ mtu: 300 });
    lab.withoutOffload('client', 'gateway', 'server');
    lab.shell('server', 'ip route change default via 198.51.100.1 initcwnd 2');
    await Engine.start(lab, { config: config() });
    await serve();
    await expectPinned();
  });

  it('an initial window of two alone', async () => {
    lab.shell('server', 'ip route change default via 198.51.100.1 initcwnd 2');
    await Engine.start(lab, { config: config() });
    await serve();
    await expectPinned();
  });
});

describe('losses', () => {
  it('of five packets in a hundred, in both directions: genuine passes and forged does not, every time', async () => {
    await anotherLab({ hosts: ['client', 'router', 'gateway', 'server'] });
    lab.withoutOffload('client', 'router', 'gateway', 'server');
    lab.shell('router', 'iptables -A FORWARD -m statistic --mode random --probability 0.05 -j DROP');
    lab.shell(
      'server',
      'iptables -A INPUT -p tcp -m statistic --mode random --probability 0.05 -j DROP; iptables -A OUTPUT -p tcp -m statistic --mode random --probability 0.05 -j DROP',
    );
    const engine = await Engine.start(lab, { config: config() });
    await serve();
    for (let round = 0; round < 8; round++) {
      expect(await curl(GENUINE_PORT, undefined, 20_000), `round ${round}`).toMatchObject({
        error: null,
        bytes: 50_000,
      });
      const forged = await curl(FORGED_PORT, undefined, 20_000);
      expect(forged, `round ${round}`).toMatchObject({ bytes: 0 });
      expect(forged.error, `round ${round}`).not.toMatch(/timed out/i);
    }
    const reasons = new Set(engine.verdicts.map(({ verdict }) => verdict.reason));
    expect(reasons).toEqual(new Set(['pin-match', 'pin-mismatch']));
  });
});

describe('address translation on the gateway', () => {
  it.each([
    ['DNAT', ['-A PREROUTING -p tcp -d 198.51.100.99 -j DNAT --to-destination 198.51.100.2'], '198.51.100.99'],
    ['SNAT', ['-A POSTROUTING -o right0 -j MASQUERADE'], '198.51.100.2'],
    [
      'both',
      [
        '-A PREROUTING -p tcp -d 198.51.100.99 -j DNAT --to-destination 198.51.100.2',
        '-A POSTROUTING -o right0 -j MASQUERADE',
      ],
      '198.51.100.99',
    ],
  ])('%s: outcomes as without, and the mark is on the right connection', async (_, rules, host) => {
    for (const rule of rules) lab.shell('gateway', `iptables -t nat ${rule}`);
    await Engine.start(lab, { config: config() });
    await serve();
    await expectPinned(host);
    expect(connmarks(lab, 'gateway', { port: GENUINE_PORT })).toEqual([MARK.accept]);
    expect(connmarks(lab, 'gateway', { port: FORGED_PORT })).toEqual([MARK.deny]);
  });
});

describe('on a single host', () => {
  it.each([
    ['without DNAT', [], undefined],
    ['with DNAT in OUTPUT', ['-A OUTPUT -p tcp -d 203.0.113.9 -j DNAT --to-destination 198.51.100.2'], '203.0.113.9'],
    [
      'with DNAT and SNAT',
      [
        '-A OUTPUT -p tcp -d 203.0.113.9 -j DNAT --to-destination 198.51.100.2',
        '-A POSTROUTING -p tcp -o right0 -j MASQUERADE',
      ],
      '203.0.113.9',
    ],
  ])('--hook local, %s', async (_, rules, host) => {
    for (const rule of rules) lab.shell('client', `iptables -t nat ${rule}`);
    const engine = await Engine.start(lab, { host: 'client', config: config(), rules: ['--hook', 'local'] });
    await serve();
    await expectPinned(host);
    expect(connmarks(lab, 'client', { port: GENUINE_PORT })).toEqual([MARK.accept]);
    expect((await engine.logged(2)).map(({ src_ip, dest_ip }) => `${src_ip} ${dest_ip}`)).toEqual(
      Array(2).fill(`${lab.address('client')} ${lab.address('server')}`),
    );
  });

  it('--hook local over IPv6', async () => {
    await Engine.start(lab, { host: 'client', config: config(), rules: ['--hook', 'local'] });
    await serve();
    await expectPinned(lab.address('server', 6));
  });
});

describe('other people’s marks', () => {
  it('a foreign fwmark is not taken for a decision, and its bits stay', async () => {
    lab.shell('gateway', `iptables -t mangle -A PREROUTING -j MARK --set-mark ${MARK.accept | MARK.told | 0x15}`);
    lab.shell('gateway', 'iptables -A FORWARD -p tcp -m mark ! --mark 0x15/0xf8ffffff -j DROP');
    await Engine.start(lab, { config: config() });
    await serve();
    await expectPinned();
  });

  it('a foreign connmark is neither taken for a decision nor touched', async () => {
    lab.shell('gateway', 'iptables -t mangle -A PREROUTING -p tcp -j CONNMARK --set-xmark 0x1007/0xf8ffffff');
    await Engine.start(lab, { config: config() });
    await serve();
    await expectPinned();
    expect(connmarks(lab, 'gateway', { port: GENUINE_PORT })).toEqual([MARK.accept | 0x1007]);
    expect(connmarks(lab, 'gateway', { port: FORGED_PORT })).toEqual([MARK.deny | 0x1007]);
  });

  it('a fwmark set on an accepted flow later does not change the decision', async () => {
    lab.shell(
      'gateway',
      `iptables -A FORWARD -p tcp ! --syn -m connmark --mark ${MARK.accept}/${MARK.mask} -j MARK --set-mark ${MARK.deny}`,
    );
    await Engine.start(lab, { config: config() });
    await serve(1_000_000);
    expect(await curl(GENUINE_PORT)).toMatchObject({ error: null, bytes: 1_000_000 });
    expect(connmarks(lab, 'gateway', { port: GENUINE_PORT })).toEqual([MARK.accept]);
  });
});

describe('an accepted flow', () => {
  it('no longer enters the queue: a bulk download, by the queue’s own counter', async () => {
    const engine = await Engine.start(lab, { config: config() });
    await serve(40_000_000);
    expect(await curl(GENUINE_PORT)).toMatchObject({ error: null, bytes: 40_000_000 });
    expect(engine.queued).toBeLessThan(60);
  });

  it('still obeys the user’s filter rules', async () => {
    await Engine.start(lab, { config: config() });
    lab.shell(
      'gateway',
      `iptables -A FORWARD -p tcp --dport ${GENUINE_PORT} -m connbytes --connbytes 200000: --connbytes-dir both --connbytes-mode bytes -j DROP`,
    );
    await serve(5_000_000);
    const outcome = await curl(GENUINE_PORT, undefined, 3_000);
    expect(outcome.error).toMatch(/timed out/);
    expect(outcome.bytes).toBeGreaterThan(0);
    expect(outcome.bytes).toBeLessThan(5_000_000);
  });
});

describe('several queues', () => {
  it('many clients at once, each decided as it should be', async () => {
    for (let host = 10; host < 20; host++) lab.shell('client', `ip addr add 192.0.2.${host}/24 dev right0`);
    const engine = await Engine.start(lab, { config: { ...config(), queues: '0:1' } });
    await serve();
    const requests = Array.from({ length: 20 }, (_, at) =>
      requestWithNode(lab, 'client', {
        host: lab.address('server'),
        port: at % 2 === 0 ? GENUINE_PORT : FORGED_PORT,
        servername: NAME,
        ca: bank.ca,
        localAddress: `192.0.2.${10 + (at >> 1)}`,
      }),
    );
    const outcomes = (await Promise.all(requests)).map(([outcome]) => outcome!);
    outcomes.forEach((outcome, at) => {
      if (at % 2 === 0) expect(outcome).toMatchObject({ error: null });
      else expect(outcome).toMatchObject({ bytes: 0, error: expect.stringMatching(/ALERT/) as string });
    });
    expect(await engine.logged(20)).toHaveLength(20);
  });
});
