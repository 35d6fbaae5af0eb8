/** The long form against the whole engine in one process: each property in turn until the time is over. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import fc from 'fast-check';
import { it } from 'vitest';

import type { Program } from './moves.ts';
import { PROPERTIES } from './properties.ts';

const seconds = Number(process.env['ADVERSARY_SECONDS']);
const seed = process.env['ADVERSARY_SEED'];

for (const [name, property] of Object.entries(PROPERTIES)) {
  it(name, { timeout: 0 }, async () => {
    const end = Date.now() + (seconds * 1000) / Object.keys(PROPERTIES).length;
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
    console.log(`${name}: ${runs} programs`);
  });
}

/** Shrunk as far as it goes: what becomes a file of counterexamples/ once it has a name. */
function keep(program: Program): string {
  const directory = fileURLToPath(new URL('counterexamples/found/', import.meta.url));
  mkdirSync(directory, { recursive: true });
  const file = `${directory}${Date.now()}.json`;
  writeFileSync(file, `${JSON.stringify({ expects: 'to be named', program }, null, 2)}\n`);
  return file;
}
