/** The programs that tests want: one list, which the README's lines of packages and the test files themselves agree with. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { describe, expect, it } from 'vitest';

import { PROGRAMS as DEMO } from '../src/cli/demo.ts';
import { ROOT } from './support/built.ts';
import { leftOut } from './support/left-out.ts';
import { BASE, PEERS, VIRTUAL } from './support/programs.ts';

const TEST = join(ROOT, 'test');

describe('the README', () => {
  const [first, second, third] = [
    ...readFileSync(join(ROOT, 'README.md'), 'utf8').matchAll(/^sudo apt install (.+)$/gm),
  ].map(([, packages]) => packages!.split(' ').sort());

  it('names in its first line what both commands take for granted', () => {
    expect(first).toEqual([...new Set(Object.values(BASE))].sort());
  });

  it('names in its second line what tests can do without', () => {
    expect(second).toEqual([...new Set(Object.values(PEERS).map(({ debian }) => debian))].sort());
  });

  it('names in its third line what boots another kernel', () => {
    expect(third).toEqual([...new Set(Object.values(VIRTUAL))].sort());
  });

  it('asks for whatever the demonstration does, besides what every Debian has', () => {
    expect(Object.values(DEMO).filter((name) => name !== 'util-linux' && !first!.includes(name))).toEqual([]);
  });
});

describe('a test file that can do without a program', () => {
  const asking = new Map(Object.keys(PEERS).map((peer): [string, string[]] => [peer, []]));
  const files = readdirSync(TEST, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  for (const file of files.sort()) for (const peer of askedFor(join(TEST, file))) asking.get(peer)?.push(file);

  it.each(Object.entries(PEERS))('stands in the list, and those in the list ask: %s', (peer, { tests }) => {
    expect(asking.get(peer)).toEqual(tests);
  });

  /** By the file itself, and by what it imports of test/support. */
  function askedFor(path: string, seen = new Set<string>()): Set<string> {
    seen.add(path);
    const text = readFileSync(path, 'utf8');
    const asked = new Set(
      [...text.matchAll(/\blacks\(('[^)]*')\)/g)].flatMap(([, names]) =>
        [...names!.matchAll(/'([^']+)'/g)].map(([, name]) => name!),
      ),
    );
    if (path === import.meta.filename) return asked;
    for (const [, specifier] of text.matchAll(/ from '(\.[^']+)'/g)) {
      const imported = join(dirname(path), specifier!);
      const isSupport = relative(join(TEST, 'support'), imported).startsWith('..') === false;
      if (isSupport && !seen.has(imported)) for (const name of askedFor(imported, seen)) asked.add(name);
    }
    return asked;
  }
});

describe('the closing line of a run', () => {
  const ran = [
    { file: 'cli/shells.test.ts', skipped: ['zsh > completes', 'zsh > understands'] },
    { file: 'e2e/quic.test.ts', skipped: [] },
    { file: 'runtime/control/server.test.ts', skipped: ['another user is kept out'] },
  ];

  it('says which tests were left out for want of what, and how to get it', () => {
    expect(leftOut(ran.slice(0, 2), (program) => program !== 'zsh' && program !== 'chromium')).toBe(
      'Tests left out without zsh (sudo apt install zsh): cli/shells.test.ts 2',
    );
  });

  it('names each that was left out for another reason', () => {
    expect(leftOut(ran, (program) => program !== 'zsh')).toBe(
      'Tests left out without zsh (sudo apt install zsh): cli/shells.test.ts 2; ' +
        'runtime/control/server.test.ts > another user is kept out',
    );
  });

  it('is none where every test ran', () => {
    expect(leftOut([{ file: 'cli/shells.test.ts', skipped: [] }], () => false)).toBeUndefined();
  });
});
