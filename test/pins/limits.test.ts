import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { LIMIT_DEFAULTS } from '../../src/pins/limits.ts';
import { BUDGET } from '../../src/x509/path/budget.ts';
import { ROOT } from '../support/built.ts';

const page = readFileSync(join(ROOT, 'docs/limits.md'), 'utf8');

it('docs/limits.md has every limit and its default, and no other', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) \|/gm)].map(([, name, value]) => [name, Number(value)]);
  expect(Object.fromEntries(rows)).toEqual(LIMIT_DEFAULTS);
  for (const count of Object.values(BUDGET)) expect(page).toContain(`| ${count} | \`unexaminable\` |`);
});
