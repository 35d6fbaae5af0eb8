import { readdirSync, readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { Program } from './moves.ts';
import { holdFriendly, holdHostile } from './properties.ts';

interface Counterexample {
  /** `held`: a forger must not be believed; `served`: the bank's own server must be. */
  readonly expects: 'held' | 'served';
  readonly program: Program;
}

const directory = new URL('counterexamples/', import.meta.url);
const files = readdirSync(directory).filter((name) => name.endsWith('.json'));

/** What the adversary once found, shrunk, each with the name of what was wrong. */
describe('found once, and held since', () => {
  it.each(files)('%s', async (file) => {
    const { expects, program } = JSON.parse(readFileSync(new URL(file, directory), 'utf8')) as Counterexample;
    expect(['held', 'served']).toContain(expects);
    await (expects === 'held' ? holdHostile(program) : holdFriendly(program));
  });
});
