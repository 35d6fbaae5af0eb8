import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

import { CONDITIONS } from '../../../src/runtime/protection/conditions.ts';
import { ROOT } from '../../support/built.ts';

it('the table of conditions says what there is, in the same words', () => {
  const page = readFileSync(join(ROOT, 'docs/protection.md'), 'utf8').replaceAll('\\|', '|').replace(/ +/g, ' ');
  const table = page.slice(page.indexOf('| code | state |')).split('\n').slice(2);
  const states = { degraded: 'degraded', unprotected: 'not protected' };
  const rows = Object.entries(CONDITIONS).map(
    ([code, { severity, meaning, mend }]) => `| \`${code}\` | ${states[severity]} | ${meaning} | ${mend} |`,
  );
  expect(table.filter((line) => line.startsWith('|'))).toEqual(rows);
});

it('each condition says what it means in a sentence, and what to do in a phrase', () => {
  for (const { meaning, mend } of Object.values(CONDITIONS)) {
    expect(meaning).toMatch(/^[A-Z`].*\.$/);
    expect(mend).toMatch(/^[a-z].*[^.]$/);
  }
});
