/** `tlspin web` as a process: to whom it says the token. What it serves is test/web/. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, fstatSync, mkdtempSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';

import { ensureBuilt, MAIN } from '../support/command-line.ts';

let folder: string;
let child: ChildProcess | undefined;

beforeAll(ensureBuilt, 60_000);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tlspin-web-'));
});
afterEach(async () => {
  if (child?.exitCode === null) {
    const ended = new Promise((resolve) => child!.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }
  rmSync(folder, { recursive: true });
});

/** What is printed goes to a file, as if that was the journal where it is said to be. */
async function start(isJournal: boolean): Promise<{ readonly printed: string; readonly said: string }> {
  const out = openSync(join(folder, 'out'), 'w');
  const { dev, ino } = fstatSync(out, { bigint: true });
  const env = { ...process.env, JOURNAL_STREAM: isJournal ? `${dev}:${ino}` : '1:1' };
  const files = ['--control', join(folder, 'none.sock'), '--token-file', join(folder, 'token')];
  const port = 20_000 + Math.floor(Math.random() * 40_000);
  const args = [MAIN, 'web', '--listen', `127.0.0.1:${port}`, ...files];
  child = spawn(process.execPath, args, { env, stdio: ['ignore', out, 'pipe'] });
  closeSync(out);
  let said = '';
  child.stderr!.setEncoding('utf8').on('data', (piece: string) => (said += piece));
  await vi.waitFor(() => expect(said).toContain('waiting for it'), { timeout: 30_000 });
  return { printed: readFileSync(join(folder, 'out'), 'utf8'), said };
}

const token = () => readFileSync(join(folder, 'token'), 'utf8').trim();

it('a terminal has the link that signs in', async () => {
  const { printed, said } = await start(false);
  expect(printed).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/enter\?token=\S+\n$/);
  expect(printed).toContain(token());
  expect(said).not.toContain(token());
}, 60_000);

it('the journal, which more people read, has no token', async () => {
  const { printed, said } = await start(true);
  expect(printed).toBe('');
  expect(said).toMatch(/http:\/\/127\.0\.0\.1:\d+ takes the token\n/);
  expect(token()).toHaveLength(43);
  expect(said).not.toContain(token());
  expect(statSync(join(folder, 'token')).mode & 0o777).toBe(0o600);
}, 60_000);
