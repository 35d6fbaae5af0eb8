/**
 * The engine on the client's own host (`--hook local`): its probes leave by the same hooks as the connections that they
 * are for, and must not be looked at, or each would ask for another.
 */
import { beforeAll, describe, expect, it } from 'vitest';

import { bank, faces, lab, openFaces, openScene, requestTo, scene } from '../support/lab/bank-scene.ts';
import { connmarks } from '../support/lab/engine.ts';
import { requestWithCurl } from '../support/lab/peers.ts';
import type { Outcome } from '../support/lab/peers.ts';

const MARK = { accept: 0x1000000, deny: 0x2000000, probe: 0x400000 };
const PORT = { genuine: 4430, forged: 4431, slow: 4432, silent: 4433 };

beforeAll(async () => {
  const config = { ports: ['4430-4439'], probe: { recheck: 0, timeout: 1_500, perDestination: 600 } };
  await openScene(() => ({ ...bank.config, ...config }), { host: 'gateway', rules: ['--hook', 'local'] });
  await openFaces({
    [PORT.genuine]: [{ ...bank.genuineChain, body: 50_000 }],
    [PORT.forged]: [{ ...bank.forgedChain }],
    [PORT.slow]: [{ ...bank.genuineChain, delay: 700 }],
    [PORT.silent]: [{ does: 'silent' }],
  });
});

/** A client on the gateway itself. */
const curl = (port: number, version: 4 | 6 = 4): Promise<Outcome> =>
  requestWithCurl(lab, 'gateway', requestTo(port, { host: lab.address('server', version) }));

describe.each([4, 6] as const)('a client on the host itself, over IPv%d', (version) => {
  it('reads all of the genuine server, which two connections reached: its own and the probe', async () => {
    const outcome = await curl(PORT.genuine, version);
    expect(outcome).toMatchObject({ error: null });
    expect(outcome.bytes).toBeGreaterThanOrEqual(50_000);
    const record = await scene.verdict();
    expect(record.verdict).toMatchObject({ action: 'accept', reason: 'probe-match', evidence: 'probed' });
    expect(faces.connections()).toHaveLength(2);
    expect(connmarks(lab, 'gateway', { port: PORT.genuine, clientPort: record.src_port })).toEqual([MARK.accept]);
  });

  it('hears an alert from the forged one, and nothing of it', async () => {
    const outcome = await curl(PORT.forged, version);
    expect(outcome.bytes).toBe(0);
    expect(outcome.error).toMatch(/alert bad certificate/);
    expect((await scene.verdict()).verdict).toMatchObject({ action: 'tls-alert', reason: 'probe-mismatch' });
    expect(faces.connections()).toHaveLength(2);
  });
});

describe('a probe', () => {
  /** Packets that the engine saw while the client made one connection. */
  async function queuedBy(port: number): Promise<number> {
    const before = scene.engine.queued;
    await curl(port);
    return scene.engine.queued - before;
  }

  it('is never in the queue: a connection that needs one puts no more packets there than one that does not', async () => {
    const first = await queuedBy(PORT.slow);
    const [asked] = await scene.verdicts(1);
    const again = await queuedBy(PORT.slow);
    expect(faces.connections()).toHaveLength(3);
    expect(first).toBeGreaterThan(0);
    // What either repeats while it waits; a probe's own packets would be more.
    expect(first).toBeLessThanOrEqual(again + 6);
    expect((await scene.verdicts(2)).map(({ src_port }) => src_port)).toHaveLength(2);
    expect(asked!.verdict.reason).toBe('probe-match');
  });

  it('bears its mark, which its connection keeps, and gets no verdict', async () => {
    await curl(PORT.genuine);
    expect(await scene.verdicts(1)).toHaveLength(1);
    const marks = connmarks(lab, 'gateway', { port: PORT.genuine });
    expect(marks.filter((mark) => mark === MARK.probe)).not.toHaveLength(0);
    expect(marks.every((mark) => mark === MARK.probe || mark === MARK.accept)).toBe(true);
  });

  it('that nobody answers is one, not one for each that it would be itself asked about', async () => {
    const outcome = await curl(PORT.silent);
    expect(outcome.error).not.toBe(null);
    expect(faces.connections()).toHaveLength(2);
  });
});
