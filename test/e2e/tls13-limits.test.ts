/**
 * Probes are few: one for many who ask the same, none for what is known, so many at once and so many a minute whatever
 * clients do; and what is known is looked at again, behind a verdict.
 */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

import { makeBank, NAME, pinset } from '../support/lab/bank.ts';
import type { Bank } from '../support/lab/bank.ts';
import { Faces } from '../support/lab/faces.ts';
import type { Face, FaceEvent } from '../support/lab/faces.ts';
import { startBlockingServer } from '../support/lab/openssl.ts';
import { requestWithNode, storm } from '../support/lab/peers.ts';
import type { NodeOutcome, Outcome } from '../support/lab/peers.ts';
import { Scene } from '../support/lab/scene.ts';

/** The gateway, as the server sees it. */
const GATEWAY = '198.51.100.1';
const PORT = { slow: 443, first: 444, second: 445 };
const CLIENTS = 20;

let bank: Bank;
let scene: Scene | undefined;
let faces: Faces;
beforeAll(() => {
  bank = makeBank();
});
afterAll(() => bank.remove());
afterEach(async () => {
  await scene?.close();
  scene = undefined;
});

async function start(probe: object, ports: Readonly<Record<number, readonly Face[]>>): Promise<void> {
  const pinsets = [pinset({ pins: [bank.pin] })];
  scene = await Scene.create(() => ({
    pinsets,
    ports: Object.values(PORT),
    probe: { recheck: 0, ...probe },
  }));
  faces = await Faces.start(scene.lab, 'server', ports);
}

async function request(port: number): Promise<NodeOutcome> {
  const host = scene!.lab.address('server');
  return (await requestWithNode(scene!.lab, 'client', { host, port, servername: NAME, ca: bank.ca }))[0]!;
}

interface StormOptions {
  readonly port: number;
  /** Each from an address of its own. */
  readonly apart?: boolean;
  /** Each with a hello of its own. */
  readonly distinct?: boolean;
}

function stormOf({ port, apart = false, distinct = false }: StormOptions): Promise<Outcome[]> {
  const { lab } = scene!;
  const numbers = Array.from({ length: CLIENTS }, (_, n) => n);
  if (apart) lab.shell('client', numbers.map((n) => `ip addr add 192.0.2.${100 + n}/24 dev right0`).join('\n'));
  const clients = numbers.map((n) => ({
    ...(apart && { localAddress: `192.0.2.${100 + n}` }),
    ...(distinct && { ALPNProtocols: [`client-${n}`] }),
  }));
  return storm(lab, 'client', { host: lab.address('server'), port, servername: NAME, clients });
}

const probes = (port: number): number => faces.connections(port).filter((from) => from === GATEWAY).length;
const genuine = (): Face => ({ ...bank.genuineChain });
const forged = (): Face => ({ ...bank.forgedChain });
/** How many of the storm's records say what. */
async function reasons(): Promise<Record<string, number>> {
  const records = await scene!.verdicts(CLIENTS);
  expect(records).toHaveLength(CLIENTS);
  const counts: Record<string, number> = {};
  for (const { verdict } of records) counts[verdict.reason] = (counts[verdict.reason] ?? 0) + 1;
  return counts;
}

describe('what is known costs nothing', () => {
  it('the first of two waits for the probe, the second for nothing and nobody', async () => {
    const delay = 1_200;
    await start({}, { [PORT.slow]: [{ ...genuine(), from: GATEWAY, delay }, genuine()] });
    expect(await request(PORT.slow)).toMatchObject({ error: null });
    const first = await scene!.verdict();
    expect(first.verdict).toMatchObject({ reason: 'probe-match' });
    expect(first.verdict.held_us).toBeGreaterThan((delay * 1000) / 2);
    scene!.begin();
    expect(await request(PORT.slow)).toMatchObject({ error: null });
    const second = await scene!.verdict();
    expect(second.verdict).toMatchObject({ reason: 'probe-match', evidence: 'probed' });
    expect(second.verdict.held_us).toBeLessThan((delay * 1000) / 2);
    expect(probes(PORT.slow)).toBe(1);
  });

  it('many who ask the same at the same time are one connection to the server', async () => {
    await start({}, { [PORT.slow]: [{ ...genuine(), from: GATEWAY, delay: 1_000 }, genuine()] });
    const outcomes = await stormOf({ port: PORT.slow, apart: true });
    expect(outcomes.filter(({ error }) => error !== null)).toEqual([]);
    expect(await reasons()).toEqual({ 'probe-match': CLIENTS });
    expect(probes(PORT.slow)).toBe(1);
  });

  it('of a forged one neither: all are denied by one look at it', async () => {
    await start({}, { [PORT.slow]: [{ ...forged(), from: GATEWAY, delay: 1_000 }, forged()] });
    const outcomes = await stormOf({ port: PORT.slow, apart: true });
    expect(outcomes.filter(({ error, bytes }) => !/ALERT/.test(error ?? '') || bytes > 0)).toEqual([]);
    expect(await reasons()).toEqual({ 'probe-mismatch': CLIENTS });
    expect(probes(PORT.slow)).toBe(1);
  });
});

describe.each([4, 6] as const)('a server that serves few at a time, over IPv%d', (version) => {
  it.each([1, 5])('has room for the probe of a burst that takes all of its %d places', async (workers) => {
    await start({ timeout: 2_000 }, {});
    const { lab } = scene!;
    const server = await startBlockingServer(lab, 'server', {
      identity: bank.genuine,
      workers,
      version,
      port: PORT.first,
    });
    const clients = Array.from({ length: workers + 1 }, () => ({}));
    const host = lab.address('server', version);
    for (let burst = 0; burst < 2; burst++) {
      const outcomes = await storm(lab, 'client', { host, port: PORT.first, servername: NAME, clients });
      expect(outcomes.map(({ error }) => error)).toEqual(clients.map(() => null));
    }
    const from = server.output.trim().split('\n');
    expect(from.filter((each) => each === host.replace(/[^.:]+$/, '1'))).toHaveLength(1);
    for (const { verdict } of await scene!.verdicts(2 * clients.length)) expect(verdict.reason).toBe('probe-match');
  });
});

describe('storms', () => {
  /** All are asked before any is answered, and counts for less. */
  const late = (): Face[] => [{ ...genuine(), from: GATEWAY, delay: 1_500 }, genuine()];
  it('a server is asked so often a minute, whoever asks; for the others it is not known', async () => {
    const perDestination = 5;
    await start({ perDestination }, { [PORT.first]: late(), [PORT.second]: [genuine()] });
    const outcomes = await stormOf({ port: PORT.first, apart: true, distinct: true });
    expect(await reasons()).toEqual({ 'probe-match': perDestination, 'probe-failed': CLIENTS - perDestination });
    expect(outcomes.filter(({ error }) => error === null)).toHaveLength(perDestination);
    expect(probes(PORT.first)).toBe(perDestination);
    const refused = scene!.engine.verdicts.filter(({ verdict }) => verdict.reason === 'probe-failed');
    for (const { verdict } of refused) expect(verdict.fault).toMatch(/^probe\.limited/);
    // Another server is none of this one's business.
    expect(await request(PORT.second)).toMatchObject({ error: null });
  });

  it('so often for a client; for others it still is', async () => {
    const perClient = 5;
    await start({ perClient, perDestination: 600 }, { [PORT.first]: late() });
    await stormOf({ port: PORT.first, distinct: true });
    expect(await reasons()).toEqual({ 'probe-match': perClient, 'probe-failed': CLIENTS - perClient });
    expect(probes(PORT.first)).toBe(perClient);
    const { lab } = scene!;
    const host = lab.address('server', 6);
    const [other] = await requestWithNode(lab, 'client', { host, port: PORT.first, servername: NAME, ca: bank.ca });
    expect(other).toMatchObject({ error: null });
  });

  it('so many at once; the others wait for their turn', async () => {
    const atOnce = 4;
    const options = { atOnce, perClient: 600, perDestination: 600 };
    await start(options, { [PORT.slow]: [{ ...genuine(), from: GATEWAY, delay: 100 }, genuine()] });
    const outcomes = await stormOf({ port: PORT.slow, distinct: true });
    expect(outcomes.filter(({ error }) => error !== null)).toEqual([]);
    expect(await reasons()).toEqual({ 'probe-match': CLIENTS });
    expect(probes(PORT.slow)).toBe(CLIENTS);
    expect(mostAtOnce(faces.events.filter(({ from }) => from === GATEWAY))).toBeLessThan(2 * atOnce);
  });
});

/** The server hears of an end a little later than of the next beginning. */
function mostAtOnce(events: readonly FaceEvent[]): number {
  let [open, most] = [0, 0];
  for (const { event } of events) {
    if (event === 'connection') open++;
    if (event === 'over') open--;
    most = Math.max(most, open);
  }
  return most;
}

describe('what is known is looked at again', () => {
  it('a server that shows the pinned chain once and then another is found out behind a verdict, and denied', async () => {
    const faked = [{ ...genuine(), from: GATEWAY, times: 1 }, { ...forged(), from: GATEWAY }, genuine()];
    await start({ recheck: 1 }, { [PORT.first]: faked });
    expect(await request(PORT.first)).toMatchObject({ error: null });
    expect(await request(PORT.first)).toMatchObject({ error: null });
    await faces.until(() => probes(PORT.first) === 2, 'the server was asked again');
    await expect
      .poll(() => scene!.engine.anomalies.map(({ anomaly }) => anomaly.event), { timeout: 5_000 })
      .toContain('probe.inconsistent');
    scene!.begin();
    expect(await request(PORT.first)).toMatchObject({ error: expect.stringMatching(/ALERT/) as string, bytes: 0 });
    expect((await scene!.verdict()).verdict).toMatchObject({
      action: 'tls-alert',
      reason: 'probe-inconsistent',
      evidence: 'probed',
      matched: null,
    });
  });

  it('and one that only shows a new certificate of the pinned key is none the worse for it', async () => {
    const renewed = bank.shop.leaf('renewed', { issuer: bank.genuine, names: [NAME], sameKeyAs: bank.genuine });
    const shown = [{ ...genuine(), from: GATEWAY, times: 1 }, { ...renewed, from: GATEWAY }, genuine()];
    await start({ recheck: 1 }, { [PORT.first]: shown });
    expect(await request(PORT.first)).toMatchObject({ error: null });
    expect(await request(PORT.first)).toMatchObject({ error: null });
    await faces.until(() => probes(PORT.first) === 2, 'the server was asked again');
    scene!.begin();
    expect(await request(PORT.first)).toMatchObject({ error: null });
    expect((await scene!.verdict()).verdict).toMatchObject({ action: 'accept', reason: 'probe-match' });
  });
});
