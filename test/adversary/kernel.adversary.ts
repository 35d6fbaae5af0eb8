/** The long form against the kernel: its queue, its rules, and a client whose TCP is the kernel's own. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { FORGERIES, handshakeOf } from '../support/attack.ts';
import { rawProgram, type RawProgram } from './kernel/moves.ts';
import { RawScene } from './kernel/play.ts';
import { keep, untilItIsOver } from './long.ts';

/** Programs that are played at once. */
const AT_ONCE = 24;

let scene: RawScene;
beforeAll(async () => {
  scene = await RawScene.create();
});
afterAll(() => scene.close());

const isForged = (received: Buffer) => FORGERIES.some((forgery) => handshakeOf(received).includes(forgery));

it('no client’s TCP is given a whole forged Certificate, whatever segments come', { timeout: 0 }, async () => {
  const property = fc.asyncProperty(
    fc.array(rawProgram, { minLength: 1, maxLength: AT_ONCE, size: 'max' }),
    async (programs: readonly RawProgram[]) => {
      const forged = (await scene.play(programs)).filter(isForged).length;
      expect(scene.engine!.child.end, scene.engine!.child.errors).toBeUndefined();
      if (forged > 0) throw new Error(`${forged} of ${programs.length} clients have a forged Certificate`);
    },
  );
  await untilItIsOver('batches of programs', property, keep);
});

it('the same segments give clients whom nobody protects forged Certificates', { timeout: 0 }, async () => {
  const open = await RawScene.create({ isProtected: false });
  try {
    const received = await open.play(fc.sample(rawProgram, { numRuns: AT_ONCE, seed: 1 }));
    expect(received.filter(isForged).length).toBeGreaterThan(3);
  } finally {
    await open.close();
  }
});
