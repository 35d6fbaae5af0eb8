/** The codec's plain C test, and its fuzz target on the inputs that are cheap to try, both under sanitizers. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ROOT } from '../support/built.ts';

const CFLAGS = ['-std=c11', '-g', '-Wall', '-Wextra', '-Werror'];
const SANITIZERS = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all'];

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'tlspin-nfqnl-'))));
afterAll(() => rmSync(directory, { recursive: true }));

function compile(name: string, sources: string[]): string {
  const program = join(directory, name);
  const paths = sources.map((source) => join(ROOT, source));
  execFileSync('cc', [...CFLAGS, ...SANITIZERS, ...paths, '-o', program], { stdio: 'pipe' });
  return program;
}

test('every check of the plain C test holds', { timeout: 60_000 }, () => {
  const program = compile('codec', ['test/native/nfqnl-codec.c', 'native/nfqnl.c']);
  expect(execFileSync(program, { encoding: 'utf8' })).toBe('0 failed\n');
});

test('a hundred thousand mutated messages stay inside their bounds', { timeout: 60_000 }, () => {
  const program = compile('mutate', ['test/native/nfqnl-mutate.c', 'test/fuzz/nfqnl.c', 'native/nfqnl.c']);
  expect(execFileSync(program, ['100000'], { encoding: 'utf8' })).toBe('100000 done\n');
});
