/** The page about evasions names tests: each of them exists, under that title. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

const PAGE = new URL('../docs/evasions.md', import.meta.url);
const page = readFileSync(PAGE, 'utf8');
/** What the game writes names none. */
const tricks = page.replace(/<!-- npm run game: .*?<!-- of the game -->/gs, '');
const rows = tricks.split('\n').filter((line) => /^\|(?! -{3})/.test(line) && !line.includes('The tests that show it'));
const links = [...page.matchAll(/\[([^\]]+)\]\((\.\.\/test\/[^)]+)\)/g)].map(([, title = '', file = '']) => ({
  title: title.replace(/\\([\\*_])/g, '$1'),
  file: fileURLToPath(new URL(file, PAGE)),
}));

test('every trick has a test', () => {
  expect(rows.length).toBeGreaterThan(80);
  expect(rows.filter((row) => !row.split('|').at(-2)!.includes('](../test/'))).toEqual([]);
});

test('every test that is named exists', () => {
  expect(links.length).toBeGreaterThan(rows.length);
  const missing = links.filter(({ title, file }) => !existsSync(file) || !hasTitle(readFileSync(file, 'utf8'), title));
  expect(missing).toEqual([]);
});

/** As a whole string literal: the title of a test, of a group, or of a row of a table of tests. */
function hasTitle(source: string, title: string): boolean {
  return ["'", '"', '`'].some((quote) => source.includes(`${quote}${title}${quote}`));
}
