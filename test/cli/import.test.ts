import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { ensureBuilt, tlspin } from '../support/command-line.ts';

const A = Buffer.alloc(32, 1).toString('base64');
const folder = mkdtempSync(join(tmpdir(), 'tlspin-import-'));
const run = (args: readonly string[], input?: string) =>
  tlspin(['import', ...args], { cwd: folder, input: input ?? '' });

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

beforeAll(ensureBuilt, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

it('prints what check accepts, and counts what it could not take over', async () => {
  const names = [
    file('pins.kt', `.add("a.example", "sha256/${A}", "sha1/x")\n`),
    file('zone', `_443._tcp.b.example. IN TLSA 3 1 1 ${'02'.repeat(32)}\n`),
    file('sslbl.csv', `# SSLBL\n2026-01-01 00:00:00,${'ab'.repeat(20)},x\n`),
    file('rules', '-A INPUT -p tcp -m tcp --sport 443 -m sslpin --fpl 0 -j DROP\n'),
  ];
  const { status, out, err } = await run(names);
  expect([status, err]).toEqual([
    0,
    'tlspin import: 3 pinsets, 2 lists, 1 rule; 2 things not taken over as it was: see the comments\n',
  ]);
  file('tlspin.json', out);
  const checked = await tlspin(['check', 'tlspin.json'], { cwd: folder });
  expect(checked).toMatchObject({
    status: 0,
    out: expect.stringMatching(/: valid: 3 pinsets, 3 pins, 2 lists, 1 rule, /),
  });
});

it('reads all of a folder, such as a copy of the lists of xt_sslpin, and makes files of lists that stay editable', async () => {
  mkdirSync(join(folder, 'lists'));
  mkdirSync(join(folder, 'copy'));
  file('copy/0', `${'AB'.repeat(20)}\n`);
  file('copy/1', '');
  file('copy/0_add', '');
  file('copy/rules', '-A FORWARD -m sslpin --fpl 0 -j DROP\n-A FORWARD -m sslpin ! --fpl 2 -j DROP\n');
  const { status, out, err } = await run(['copy', '--lists', 'lists']);
  expect([status, err]).toEqual([0, 'tlspin import: 0 pinsets, 2 lists, 2 rules\n']);
  expect(readFileSync(join(folder, 'lists', '0.txt'), 'utf8')).toBe(`${'ab'.repeat(20)}\n`);
  expect(readFileSync(join(folder, 'lists', '2.txt'), 'utf8')).toBe('');
  expect(out).toContain(`{ "writable": true, "file": "${join(folder, 'lists', '0.txt')}" }`);
  expect(await run(['copy', '--lists', 'lists'])).toMatchObject({
    status: 1,
    out: '',
    err: expect.stringMatching(/EEXIST/),
  });
});

it('reads standard input, and asks what it is where that does not show', async () => {
  const header = `Public-Key-Pins: pin-sha256="${A}"; max-age=1\n`;
  const { status, out } = await run(['-', '--host', 'bank.example'], header);
  expect(status).toBe(0);
  expect(out).toContain('"hosts": ["bank.example"]');
  const unknown = await run(['-'], 'hello\n');
  expect(unknown).toMatchObject({ status: 1, out: '' });
  expect(unknown.err).toMatch(/^error: -: what this is does not show: say --from xt-sslpin\|hpkp\|/);
});

it('that finds nothing is exit status 1, with what it found instead', async () => {
  const { status, out, err } = await run(['--from', 'curl', '-'], 'sha256//short\n');
  expect([status, out]).toEqual([1, '']);
  expect(err).toMatch(/^error: there is nothing to import\n {2}-:1: sha256\/\/short: /);
  expect(await run(['absent'])).toEqual({
    status: 1,
    out: '',
    err: 'error: absent: cannot be read: ENOENT (there is no such file)\n',
  });
  expect((await run(['--from', 'curk', '-'])).status).toBe(2);
});
