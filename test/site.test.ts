/** The site, made of the pages as they are, and of pages with a fault of each kind. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, it } from 'vitest';

import { ROOT } from './support/built.ts';

const folder = mkdtempSync(join(tmpdir(), 'tlspin-site-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('has every page, no fault, and links that need no server', () => {
  const site = join(folder, 'site');
  expect(made(ROOT, [`--output=${site}`])).toMatchObject({ status: 0, stderr: '' });
  const index = readFileSync(join(site, 'index.html'), 'utf8');
  const links = [...index.matchAll(/(?:href|src)="([^"#]+)[^"]*"/g)].map(([, target]) => target!);
  expect(links.filter((target) => !/^https?:/.test(target) && !existsSync(join(site, target)))).toEqual([]);
  expect(links).toEqual(expect.arrayContaining(['style.css', 'docs/install.html', 'docs/log.html']));
});

it('is not made where a link leads nowhere, a page is left out, or a cell is cut off', () => {
  const copy = join(folder, 'copy');
  const pages = {
    'README.md': '[a](docs/none.md) [b](docs/log.md#none) [c](docs/log.md#reasons) [d](src/none.ts)\n',
    'docs/README.md': '## All\n\n* [The log](log.md)\n',
    'docs/log.md': '# The log\n\n## Reasons\n\n[e](#nothing) [f](../README.md)\n',
    'docs/audit.md': '# Audit\n\n| one | two |\n| --- | --- |\n| a \\| b | `c|d` |\n',
  };
  mkdirSync(join(copy, 'docs'), { recursive: true });
  cpSync(join(ROOT, 'packaging/site'), join(copy, 'packaging/site'), { recursive: true });
  for (const [name, text] of Object.entries(pages)) writeFileSync(join(copy, name), text);
  const { status, stderr } = made(copy, []);
  expect(status).toBe(1);
  expect(
    stderr
      .split('\n')
      .filter((line) => /^(README|docs)/.test(line))
      .sort(),
  ).toEqual([
    'README.md: docs/log.html#none: no such page or heading',
    'README.md: docs/none.md: no such file',
    'README.md: src/none.ts: no such file',
    'docs/audit.md: docs/README.md does not name it',
    'docs/audit.md:5: a row of another length',
    'docs/log.md: #nothing: no such page or heading',
  ]);
});

function made(cwd: string, args: string[]) {
  const program = join(ROOT, 'node_modules/@11ty/eleventy/cmd.cjs');
  const config = '--config=packaging/site/eleventy.config.js';
  return spawnSync(process.execPath, [program, '--quiet', config, ...args], { cwd, encoding: 'utf8' });
}
