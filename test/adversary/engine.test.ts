import fc from 'fast-check';
import { expect, it } from 'vitest';

import { isGenuine } from './identities.ts';
import { hostileProgram } from './programs.ts';
import { PROPERTIES } from './properties.ts';
import { play } from './scene.ts';

/** The short form; `npm run adversary` is the long one. */
for (const [name, property] of Object.entries(PROPERTIES)) {
  it(name, () => fc.assert(property, { numRuns: 400 }), 120_000);
}

it('the same moves convince clients that nobody protects, so there is something to hold', async () => {
  const convinced = [];
  for (const program of fc.sample(hostileProgram, { numRuns: 60, seed: 1 })) {
    const outcomes = await play(program, { isPinned: false });
    convinced.push(outcomes.some(({ believed }) => believed !== undefined && !isGenuine(believed.leaf)));
  }
  expect(convinced.filter(Boolean).length).toBeGreaterThan(15);
}, 60_000);
