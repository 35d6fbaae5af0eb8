/** The configurations that the pages show: each is valid, once its pins are whole. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';
import { load, PIN_A, PIN_B } from '../support/configuration.ts';

const BANK = { name: 'bank', match: { hosts: ['www.bank.example'] }, pins: [PIN_A, { pin: PIN_B, role: 'backup' }] };
const shown = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].flatMap((page) =>
  [...readFileSync(join(ROOT, page), 'utf8').matchAll(/```jsonc\n(.*?)```/gs)].map(
    ([, text]) => [page, text!] as const,
  ),
);

it('are in the README and in pages', () => {
  expect(new Set(shown.map(([page]) => page)).size).toBeGreaterThan(5);
});

it.each(shown)('%s', (_page, text) => {
  const whole = text
    .replace(/sha256\/\/5lHR…=/g, PIN_A)
    .replace(/sha256\/\/wyJT…=/g, PIN_B)
    .replace('// …', `"version": 1, "pinsets": ${JSON.stringify([BANK])},`);
  const { errors, warnings } = load(whole, { '0.list': '' });
  expect([errors, warnings]).toEqual([[], []]);
});
