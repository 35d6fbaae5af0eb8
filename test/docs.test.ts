/** Pages that lead through the source: whatever they point to exists, and what they quote is there. */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { describe, expect, it } from 'vitest';

import { ROOT } from './support/built.ts';

const read = (page: string): string => readFileSync(join(ROOT, page), 'utf8');
/** As people read it: without line breaks and marks of emphasis. */
const plain = (text: string): string => text.replace(/\*\*|`/g, '').replace(/\s+/g, ' ');
const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  'native/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

describe('the table of sentences', () => {
  const rows = [...read('docs/life-of-a-packet.md').matchAll(/^\| "(.+)" \| (.+) \|$/gm)];

  it('is there', () => {
    expect(rows.length).toBeGreaterThan(30);
  });

  it('quotes the README, or a page of docs/', () => {
    const quoted = pages.filter((page) => page !== 'docs/life-of-a-packet.md' && /^(README|docs)/.test(page));
    const texts = quoted.map((page) => plain(read(page)));
    const isThere = (sentence: string): boolean => texts.some((text) => text.includes(plain(sentence)));
    expect(rows.map(([, sentence]) => sentence!).filter((sentence) => !isThere(sentence))).toEqual([]);
  });

  it('leads each sentence to files', () => {
    const files = (there: string): string[] => [...there.matchAll(/\]\(([^)]+)\)/g)].map(([, path]) => path!);
    const isFile = (path: string): boolean =>
      statSync(join(ROOT, 'docs', path), { throwIfNoEntry: false })?.isFile() ?? false;
    expect(rows.filter(([, , there]) => !files(there!).some(isFile) || !files(there!).every(isFile))).toEqual([]);
  });
});

describe.each(pages)('%s', (page) => {
  const text = read(page);

  it('has no link to a file that is not there', () => {
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, target]) => target!);
    expect(links.filter((target) => !existsSync(join(ROOT, dirname(page), target)))).toEqual([]);
  });

  it('names no file that is not there', () => {
    const named = [...text.matchAll(/`((?:src|test|native|docs|fixtures)\/[^`* ]+)`/g)].map(([, name]) => name!);
    expect(named.filter((name) => !existsSync(join(ROOT, name)))).toEqual([]);
  });
});
