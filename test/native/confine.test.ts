/** Privileges are given up in every thread, those that block every signal too, with glibc and with musl. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { ROOT } from '../support/built.ts';
import { lacks, started } from '../support/programs.ts';

const SOURCES = ['test/native/confine.c', 'native/confine.c'].map((source) => join(ROOT, source));
const FLAGS = ['-std=c11', '-D_GNU_SOURCE', '-Wall', '-Wextra', '-Werror', '-pthread'];
/** musl has none of its own. */
const KERNEL_HEADERS = ['-idirafter', '/usr/include', '-idirafter', `/usr/include/${machine()}-linux-gnu`];
const THREADS = 9;
const NET_ADMIN = '0000000000001000';
const CONFINED = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'].map((set) => `${set}:${NET_ADMIN}`).join(' ');

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'tlspin-confine-'))));
afterAll(() => rmSync(directory, { recursive: true }));

test('with glibc', () => expectConfined('cc', []));
test.skipIf(lacks('musl-gcc'))('with musl', () => expectConfined(started('musl-gcc'), KERNEL_HEADERS));

function expectConfined(compiler: string, flags: string[]): void {
  const program = join(directory, compiler);
  execFileSync(compiler, [...FLAGS, ...flags, ...SOURCES, '-o', program], { stdio: 'pipe' });
  const isRoot = process.getuid!() === 0;
  const [command, ...args] = isRoot ? [program, '65534'] : ['unshare', '--user', '--map-root-user', program];
  const id = isRoot ? 65534 : 0;
  const lines = execFileSync(command!, args, { encoding: 'utf8' }).trim().split('\n');
  const ids = `Uid:${id} ${id} ${id} ${id} Gid:${id} ${id} ${id} ${id}`;
  const spaced = (line: string) => line.trim().replaceAll(':\t', ':').replace(/\s+/g, ' ');
  expect(lines.map(spaced)).toEqual(Array.from({ length: THREADS }, () => `${ids} ${CONFINED} NoNewPrivs:1`));
}

function machine(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}
