/** A test for each fault and setting, some at a time, at places that one leaves to the next; what is seen is for others to judge. */
import { afterAll, beforeAll, it } from 'vitest';

import { type Bank, makeBank } from '../support/lab/bank.ts';
import type { Fault } from './fault.ts';
import { type Played, play } from './play.ts';
import { Place, type Setting, SETTINGS } from './stage.ts';

export function itPlays(
  faults: readonly Fault[],
  onPlayed: (fault: Fault, setting: Setting, played: Played) => void,
): void {
  let bank: Bank;
  /** Those that nobody plays at. */
  const places: Place[] = [];
  beforeAll(() => {
    bank = makeBank();
  });
  afterAll(async () => {
    await Promise.all(places.map(({ lab }) => lab.close()));
    bank.remove();
  });
  for (const fault of faults) {
    it.concurrent.each(SETTINGS)(`${fault.name}, %s`, { timeout: 120_000 }, async (setting) => {
      const place = places.pop() ?? (await Place.create(bank));
      const played = await play(fault, setting, place);
      places.push(place);
      onPlayed(fault, setting, played);
    });
  }
}
