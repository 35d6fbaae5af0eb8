/**
 * Cut and choose: beside a client's connection others are begun, and somebody between who forges one of them has to guess
 * which is the client's. Where he guesses wrong nobody is served, and it is told of; where he guesses right he gets by.
 */
import { beforeAll, expect, it } from 'vitest';

import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { requestWithCurl } from '../support/lab/peers.ts';

const DECOYS = 3;
const GENUINE = 443;
const UNPINNED = 444;
/** A server each, of which one connection is forged: so often as each of the four is as likely the client's. */
const PORTS = Array.from({ length: 12 }, (_, at) => 4430 + at);

beforeAll(async () => {
  const probe = { recheck: 0, source: 'client', decoys: DECOYS, perDestination: 600, perClient: 600 };
  await openScene(() => ({ ...bank.config, ports: [GENUINE, UNPINNED, ...PORTS], probe }));
  const genuine = { ...bank.genuineChain, body: 10_000 };
  const guess = (at: number) => ({ ...bank.forgedChain, body: 10_000, nth: at % (DECOYS + 1) });
  await openFaces({
    [GENUINE]: [genuine],
    [UNPINNED]: [genuine],
    ...Object.fromEntries(PORTS.map((port, at) => [port, [guess(at), genuine]])),
  });
  // Which way probes go is known with the second look at the rules.
  await new Promise((resolve) => setTimeout(resolve, 6_000));
});

/** Those that said a hello to that server, by the client's ports. */
const spoken = (port: number, face: number): number[] =>
  faces.events
    .filter((each) => each.event === 'connection' && each.port === port && each.face === face)
    .map(({ fromPort }) => fromPort);

it('a genuine server is asked by all of them, which have the client’s address', async () => {
  expect(await requestWithCurl(lab, 'client', requestTo(GENUINE))).toMatchObject({ error: null });
  const record = await scene.verdict();
  expect(record).toMatchObject({ verdict: { action: 'accept', reason: 'probe-match' } });
  expect(faces.connections()).toEqual(Array(DECOYS + 1).fill(lab.address('client')));
  expect(spoken(GENUINE, 0)).toContain(record.src_port);
  expect(new Set(spoken(GENUINE, 0)).size).toBe(DECOYS + 1);
});

it('what is known of it needs none the next time', async () => {
  expect(await requestWithCurl(lab, 'client', requestTo(GENUINE))).toMatchObject({ error: null });
  expect(faces.connections()).toEqual([lab.address('client')]);
});

it('whom nobody pins loses nothing by them', async () => {
  const request = requestTo(UNPINNED, { servername: 'www.elsewhere.example', args: ['-k'] });
  expect(await requestWithCurl(lab, 'client', request)).toMatchObject({ error: null });
  await faces.until((events) => events.filter(({ event }) => event === 'over').length > DECOYS, 'decoys are over');
});

it(
  'a forger has to guess: right, he gets by, wrong, he is told of and nobody is served',
  { timeout: 90_000 },
  async () => {
    let guessed = 0;
    for (const port of PORTS) {
      scene.begin();
      faces.forget();
      const outcome = await requestWithCurl(lab, 'client', requestTo(port));
      const { src_port, verdict } = await scene.verdict(port);
      await faces.until((events) => events.some((each) => each.port === port && each.face === 0), 'one is forged');
      const [forged] = spoken(port, 0);
      if (forged === src_port) {
        guessed++;
        expect(outcome).toMatchObject({ error: null });
        continue;
      }
      expect(outcome).toMatchObject({
        error: expect.stringMatching(/alert|ALERT|bad certificate/) as string,
        bytes: 0,
      });
      expect(verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-inconsistent', matched: null });
    }
    // One of four, more or less: eleven of twelve are chance once in half a million times.
    expect(guessed).toBeLessThan(11);
    const told = scene.engine.anomalies.filter(({ anomaly }) => anomaly.event === 'probe.inconsistent');
    expect(told.length).toBeGreaterThanOrEqual(PORTS.length - guessed);
    expect(told[0]!.anomaly.detail).toMatch(/: [0-9a-f]{64}( [0-9a-f]{64})*; [0-9a-f]{64}/);
  },
);
