/** What the long forms have in common: for how long, from which seed, and where a counterexample is kept. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';

export const SECONDS = Number(process.env['ADVERSARY_SECONDS']);
const seed = process.env['ADVERSARY_SEED'];

/** Checks a property over and over for so many seconds; throws with what was kept when it does not hold. */
export async function untilItIsOver<T>(
  name: string,
  property: fc.IAsyncProperty<[T]>,
  keep: (counterexample: T) => string,
  seconds = SECONDS,
): Promise<void> {
  const end = Date.now() + seconds * 1000;
  let runs = 0;
  do {
    const details = await fc.check(property, {
      numRuns: 500,
      interruptAfterTimeLimit: Math.max(1, end - Date.now()),
      markInterruptAsFailure: false,
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    });
    if (details.failed) {
      const kept = keep(details.counterexample![0]);
      throw new Error(`${fc.defaultReportMessage(details)}\nkept: ${kept}`, { cause: details.errorInstance });
    }
    runs += details.numRuns;
  } while (Date.now() < end && seed === undefined);
  console.log(`${name}: ${runs}`);
}

/** Shrunk as far as it goes; its file. */
export function keep(counterexample: unknown): string {
  const directory = fileURLToPath(new URL('counterexamples/found/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  const file = `${directory}${Date.now()}.json`;
  writeFileSync(file, `${JSON.stringify(counterexample, null, 2)}\n`);
  return file;
}
