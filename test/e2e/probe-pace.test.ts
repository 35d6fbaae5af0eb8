/**
 * When a probe that nobody waits for says something: as its client would, which is farther away than the gateway. And a
 * client that waits for its probe does not wait for that too.
 */
import { beforeAll, expect, it } from 'vitest';

import { connectionsOf, type Seen } from '../game/connections.ts';
import { ROOT } from '../support/built.ts';
import { bank, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { requestWithCurl } from '../support/lab/peers.ts';
import { spoil } from '../support/lab/spoiling-wire.ts';

const PORT = 443;
/** Microseconds, one way. */
const WAY = { delay: 10_000, jitter: 500 };
const THERE_AND_BACK_MS = 19;

beforeAll(async () => {
  const hosts = ['client', 'near', 'gateway', 'server'];
  const probe = { recheck: 1, source: 'client', perDestination: 600, perClient: 600 };
  await openScene(() => ({ ...bank.config, ports: [PORT], probe }), { hosts });
  lab.withoutOffload(...hosts);
  await spoil(lab, 'near', ['client', 'gateway'], WAY);
  await openFaces({ [PORT]: [{ ...bank.genuineChain, body: 2_000 }] });
  // Which way probes go is known with the second look at the rules.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
});

it('a recheck answers the server no sooner than its client does', { timeout: 60_000 }, async () => {
  const sniffer = lab.start('server', ['python3', `${ROOT}test/support/peers/sniffer.py`, 'left0']);
  await sniffer.says(/listening/);
  const seen = () => {
    const all = connectionsOf(sniffer.output.split('\n'), (port) => port === PORT);
    const own = new Set(scene.engine.verdicts.map(({ src_port }) => src_port));
    const of = (isClient: boolean) => all.filter(({ port }) => own.has(port) === isClient);
    return { clients: of(true), probes: of(false) };
  };
  for (let at = 0; at < 4; at++) {
    expect(await requestWithCurl(lab, 'client', requestTo(PORT))).toMatchObject({ error: null });
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  const isWhole = ({ times }: Seen) => !Number.isNaN(times.heard);
  await expect.poll(() => seen().probes.filter(isWhole).length, { timeout: 30_000 }).toBeGreaterThan(1);
  await sniffer.stop();
  const { clients, probes } = seen();
  const [first, ...rechecks] = probes.filter(isWhole);
  // The client waits for it: it asks as soon as it can.
  expect(first!.times.ack - first!.times.syn).toBeLessThan(THERE_AND_BACK_MS);
  for (const { times } of [...clients, ...rechecks]) {
    expect(times.ack - times.syn).toBeGreaterThan(THERE_AND_BACK_MS);
    expect(times.heard - times.answer).toBeGreaterThan(THERE_AND_BACK_MS);
  }
});
