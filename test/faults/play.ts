/** Plays one fault in one setting: looks while it is there, ends it, and waits until all is well. Decides nothing. */
import { pause } from './fault.ts';
import type { Fault } from './fault.ts';
import { saidInShort } from './said.ts';
import { type Look, type Place, type Setting, Stage } from './stage.ts';

export interface Played {
  readonly during: Look;
  /** Connections that were open before, when all is well again. */
  readonly established: string;
  readonly said: readonly string[];
  /** Seconds from its end until all was well. */
  readonly recovery: number;
}

export async function play(fault: Fault, setting: Setting, place: Place): Promise<Played> {
  const stage = new Stage(place, setting, fault.config?.(place.bank));
  try {
    stage.applyRules();
    if (fault.start !== null) {
      await stage.start(await fault.start?.(stage));
      const before = await stage.look(4_000);
      if (!isWell(before)) throw new Error(`not well before: ${JSON.stringify(before)}; stderr: ${stage.said}`);
      await stage.establish();
    }
    await fault.begin(stage);
    const during = await stage.look(DURING_MS);
    await fault.end?.(stage);
    const since = performance.now();
    const within = (fault.within ?? WITHIN) * 1000;
    let after = await stage.look(AFTER_MS);
    while (!isWell(after)) {
      if (performance.now() - since > within * PATIENCE) {
        throw new Error(`not well ${within} ms after: ${JSON.stringify(after)}; stderr: ${stage.said}`);
      }
      await pause(200);
      after = await stage.look(AFTER_MS);
    }
    const recovery = (performance.now() - since) / 1000;
    // TCP sends again after longer and longer pauses.
    const established = await stage.lookAtEstablished(RESENT_MS);
    // Ends are recorded and said after a moment.
    await pause(SAYING_MS);
    return { during, established, said: saidInShort(stage), recovery };
  } finally {
    await stage.close();
    fault.tidy?.(stage);
    place.tidy();
  }
}

export const WITHIN = 5;

function isWell({ genuine, forged, unpinned }: Look): boolean {
  return genuine === 'served' && unpinned === 'served' && !forged.includes('served');
}

/** Longer than anything is held (`limits.holdTime`). */
const DURING_MS = 4_000;
const AFTER_MS = 2_000;
const RESENT_MS = 20_000;
const SAYING_MS = 2_500;
/** A busy machine is not the engine's fault. */
const PATIENCE = 4;
