/** What another process lets go of a moment later. Knows nothing of what it is. */
import { setTimeout as sleep } from 'node:timers/promises';

/** Tries for some seconds; rejects as the last attempt does. */
export async function again(work: () => Promise<void>): Promise<void> {
  for (let left = ATTEMPTS; ; left--) {
    try {
      return await work();
    } catch (error) {
      if (left === 0) throw error;
      await sleep(ATTEMPT_MS);
    }
  }
}

const ATTEMPTS = 50;
const ATTEMPT_MS = 100;
