/** What holds of datagram programs, whoever plays them, and for how long: no client of OpenSSL's believes a forger. */
import fc from 'fast-check';

import { datagramProgram, type DatagramProgram } from './moves.ts';
import type { DatagramOutcome, DatagramScene } from './play.ts';

/** Programs that are played at once. */
export const DATAGRAMS_AT_ONCE = 16;

export const isForged = ({ hasSecretLeaked, believesForger }: DatagramOutcome) => hasSecretLeaked || believesForger;

export function datagramProperty(scene: () => DatagramScene): fc.IAsyncProperty<[DatagramProgram[]]> {
  return fc.asyncProperty(
    fc.array(datagramProgram, { minLength: 1, maxLength: DATAGRAMS_AT_ONCE, size: 'max' }),
    async (programs) => {
      const forged = (await scene().play(programs)).filter(isForged).length;
      const { end, errors } = scene().engine!.child;
      if (end !== undefined) throw new Error(`the engine has ended: ${errors}`);
      if (forged > 0) throw new Error(`${forged} of ${programs.length} clients believe a forger`);
    },
  );
}
