/** The long form against the kernel: its queue, its rules, and a client whose TCP is the kernel's own. */
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { hasForgery } from '../support/attack.ts';
import { RAW_AT_ONCE, rawProperty } from './kernel/hold.ts';
import { rawProgram } from './kernel/moves.ts';
import { RawScene } from './kernel/play.ts';
import { keep, untilItIsOver } from './long.ts';

let scene: RawScene;
beforeAll(async () => {
  scene = await RawScene.create();
});
afterAll(() => scene.close());

it('no client’s TCP is given a whole forged Certificate, whatever segments come', { timeout: 0 }, () =>
  untilItIsOver(
    'batches of programs',
    rawProperty(() => scene),
    keep,
  ),
);

it('the same segments give clients whom nobody protects forged Certificates', { timeout: 0 }, async () => {
  const open = await RawScene.create({ isProtected: false });
  try {
    const received = await open.play(fc.sample(rawProgram, { numRuns: RAW_AT_ONCE, seed: 1 }));
    expect(received.filter(hasForgery).length).toBeGreaterThan(3);
  } finally {
    await open.close();
  }
});
