/** Programs are run to their end without Node, with glibc and with musl, and with memory watched. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ROOT } from '../support/built.ts';
import { lacks, started } from '../support/programs.ts';

const SOURCES = ['test/native/program.c', 'native/program.c'].map((source) => join(ROOT, source));
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-g'];

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'tlspin-program-'))));
afterAll(() => rmSync(directory, { recursive: true }));

test('with glibc', () => expectAll('cc', ['-fsanitize=address,undefined', '-fno-sanitize-recover']));
test.skipIf(lacks('musl-gcc'))('with musl', () => expectAll(started('musl-gcc'), []));

function expectAll(compiler: string, flags: string[]): void {
  const program = join(directory, compiler);
  execFileSync(compiler, [...FLAGS, ...flags, ...SOURCES, '-o', program], { stdio: 'pipe' });
  expect(execFileSync(program, { encoding: 'utf8' })).toBe('all so\n');
}
