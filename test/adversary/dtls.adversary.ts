/** The long form against DTLS: OpenSSL's own client and servers in namespaces, with the rules, and a man in the middle. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { datagramProgram, type DatagramProgram } from './dtls/moves.ts';
import { type DatagramOutcome, DatagramScene } from './dtls/play.ts';
import { keep, untilItIsOver } from './long.ts';

/** Programs that are played at once. */
const AT_ONCE = 16;

let scene: DatagramScene;
beforeAll(async () => {
  scene = await DatagramScene.create();
});
afterAll(() => scene.close());

const isForged = ({ hasSecretLeaked, believesForger }: DatagramOutcome) => hasSecretLeaked || believesForger;

it('no client of OpenSSL’s believes a forger, whatever datagrams come', { timeout: 0 }, async () => {
  const property = fc.asyncProperty(
    fc.array(datagramProgram, { minLength: 1, maxLength: AT_ONCE, size: 'max' }),
    async (programs: readonly DatagramProgram[]) => {
      const forged = (await scene.play(programs)).filter(isForged);
      expect(scene.engine!.child.end, scene.engine!.child.errors).toBeUndefined();
      if (forged.length > 0) throw new Error(`${forged.length} of ${programs.length} clients believe a forger`);
    },
  );
  await untilItIsOver('batches of programs', property, keep);
});

it(
  'the same datagrams convince clients that nobody protects, and leave some with the bank',
  { timeout: 0 },
  async () => {
    const open = await DatagramScene.create({ isProtected: false });
    try {
      const outcomes = await open.play(fc.sample(datagramProgram, { numRuns: 32, seed: 1 }));
      expect(outcomes.filter(isForged).length).toBeGreaterThan(0);
      expect(outcomes.filter(({ isServed }) => isServed).length).toBeGreaterThan(0);
    } finally {
      await open.close();
    }
  },
);
