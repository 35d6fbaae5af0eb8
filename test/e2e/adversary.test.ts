/**
 * The short forms of the adversary against the kernel's TCP and against OpenSSL's DTLS: a few batches that are always the
 * same, and one that nobody has seen. The long ones are `npm run adversary -- --form kernel|dtls`.
 */
import { randomInt } from 'node:crypto';

import fc from 'fast-check';
import { afterEach, describe, it } from 'vitest';

import { datagramProperty } from '../adversary/dtls/hold.ts';
import { DatagramScene } from '../adversary/dtls/play.ts';
import { rawProperty } from '../adversary/kernel/hold.ts';
import { RawScene } from '../adversary/kernel/play.ts';

const seeds = [1, 2, randomInt(2 ** 31)];

/** Batches of each seed; what fails is shrunk by the long form, which the seed is for. */
async function hold<T>(property: fc.IAsyncProperty<T>): Promise<void> {
  for (const seed of seeds) {
    console.log(`seed ${seed}`);
    await fc.assert(property, { seed, numRuns: 2, endOnFailure: true });
  }
}

let scene: RawScene | DatagramScene | undefined;
afterEach(() => scene?.close());

describe('an adversary at random', () => {
  it('gives no client’s TCP a whole forged Certificate, whatever segments he sends', async () => {
    const raw = (scene = await RawScene.create());
    await hold(rawProperty(() => raw));
  }, 180_000);

  it('has no client of OpenSSL’s believe a forger, whatever datagrams he sends', async () => {
    const datagrams = (scene = await DatagramScene.create());
    await hold(datagramProperty(() => datagrams));
  }, 180_000);
});
