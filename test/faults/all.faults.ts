/** The faults that are asked for: the page is made of them, or held against them. `npm run faults` starts it. */
import { expect } from 'vitest';

import { ALL } from './kinds/all.ts';
import { agrees, knownLine, lineOf, writePage } from './page.ts';
import { itPlays } from './playing.ts';

const { check, names } = JSON.parse(process.env['FAULTS'] ?? '') as { check: boolean; names: string[] };
const chosen = ALL.filter(({ name }) => names.length === 0 || names.includes(name));

itPlays(chosen, (fault, setting, played) => {
  console.log(`${fault.name}, ${setting}: well again after ${played.recovery.toFixed(1)} s`);
  const line = lineOf(fault, setting, played);
  if (!check) return writePage([line]);
  const known = knownLine(fault, setting) ?? '';
  expect(agrees(line, known), `${line}\ninstead of\n${known}`).toBe(true);
});
