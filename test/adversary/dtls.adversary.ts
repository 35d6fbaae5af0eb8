/** The long form against DTLS: OpenSSL's own client and servers in namespaces, with the rules, and a man in the middle. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { datagramProperty, isForged } from './dtls/hold.ts';
import { datagramProgram } from './dtls/moves.ts';
import { DatagramScene } from './dtls/play.ts';
import { keep, untilItIsOver } from './long.ts';

let scene: DatagramScene;
beforeAll(async () => {
  scene = await DatagramScene.create();
});
afterAll(() => scene.close());

it('no client of OpenSSL’s believes a forger, whatever datagrams come', { timeout: 0 }, () =>
  untilItIsOver(
    'batches of programs',
    datagramProperty(() => scene),
    keep,
  ),
);

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
