/** What holds of raw programs, whoever plays them, and for how long: no client's kernel gives it a forged Certificate. */
import fc from 'fast-check';

import { hasForgery } from '../../support/attack.ts';
import { rawProgram, type RawProgram } from './moves.ts';
import type { RawScene } from './play.ts';

/** Programs that are played at once. */
export const RAW_AT_ONCE = 24;

export function rawProperty(scene: () => RawScene): fc.IAsyncProperty<[RawProgram[]]> {
  return fc.asyncProperty(
    fc.array(rawProgram, { minLength: 1, maxLength: RAW_AT_ONCE, size: 'max' }),
    async (programs) => {
      const forged = (await scene().play(programs)).filter(hasForgery).length;
      const { end, errors } = scene().engine!.child;
      if (end !== undefined) throw new Error(`the engine has ended: ${errors}`);
      if (forged > 0) throw new Error(`${forged} of ${programs.length} clients have a forged Certificate`);
    },
  );
}
