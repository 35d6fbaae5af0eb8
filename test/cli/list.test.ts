/** `tlspin list` as processes, against a process that keeps lists as `tlspin run` does. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, expect, it } from 'vitest';

import { ControlClient } from '../../src/runtime/control/client.ts';
import { ROOT } from '../support/built.ts';
import { ensureBuilt, tlspin } from '../support/command-line.ts';

let directory: string;
let keeper: ChildProcess | undefined;

beforeAll(ensureBuilt);
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-lists-'));
  const lists = { 0: { file: '0.list', writable: true } };
  writeFileSync(join(directory, 'tlspin.json'), JSON.stringify({ version: 1, lists }));
});
afterEach(async () => {
  if (keeper !== undefined) await kill();
  rmSync(directory, { recursive: true });
});

async function keep(): Promise<void> {
  const script = `${ROOT}test/support/peers/list-keeper.mjs`;
  const args = [script, join(directory, 'tlspin.json'), join(directory, 'control.sock')];
  keeper = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(keeper.stdout!, 'data');
}

async function kill(): Promise<void> {
  const gone = once(keeper!, 'close');
  keeper!.kill('SIGKILL');
  await gone;
  keeper = undefined;
}

const list = (...args: string[]) => tlspin(['list', '0', ...args, '--control', join(directory, 'control.sock')]);
/** As the command does, without a process for each. */
async function add(n: number): Promise<void> {
  const client = await ControlClient.connect(join(directory, 'control.sock'));
  try {
    await client.ask({ command: 'list', list: '0', action: 'add', entries: [digest(n)] });
  } finally {
    client.close();
  }
}

/** Nothing was promised. */
const isCutOff = () => undefined;
const digest = (n: number) => n.toString(16).padStart(40, '0');
const lines = () => readFileSync(join(directory, '0.list'), 'utf8').trimEnd().split('\n').sort();
const spelled = (numbers: readonly number[]) => numbers.map((n) => `cert-sha1:${digest(n)}`).sort();
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

it('processes that add and remove at the same time all have their way, and lose no entry of each other', async () => {
  writeFileSync(join(directory, '0.list'), `${digest(100)}\n# kept\n${digest(101)}\n`);
  await keep();
  const adders = upTo(5).map((n) => list('add', digest(3 * n), digest(3 * n + 1), digest(3 * n + 2)));
  const changed = await Promise.all([...adders, list('rm', digest(100)), list('rm', digest(101))]);
  expect(changed.map(({ status, err }) => [status, err])).toEqual(changed.map(() => [0, '']));
  expect(lines()).toEqual(['# kept', ...spelled(upTo(15))]);
  const shown = await list('show');
  expect(shown.out.trimEnd().split('\n').sort()).toEqual(spelled(upTo(15)));
});

it('what was answered survives whatever moment the keeper is killed at, and the file is never half', async () => {
  // Long enough for a write to take a while.
  const known = upTo(20_000).map((n) => n + 1_000_000);
  writeFileSync(join(directory, '0.list'), known.map((n) => `cert-sha1:${digest(n)}\n`).join(''));
  const answered: number[] = [];
  for (let round = 0; round < 5; round++) {
    await keep();
    const asked = upTo(5).map((i) => 5 * round + i);
    const adding = asked.map((n) => add(n).then(() => answered.push(n), isCutOff));
    // Until the first is answered, and then a moment more: others are being written.
    const before = answered.length;
    await expect.poll(() => answered.length, { timeout: 30_000, interval: 1 }).toBeGreaterThan(before);
    await new Promise((resolve) => setTimeout(resolve, 20 * round));
    await kill();
    await Promise.all(adding);
    const now = new Set(lines());
    for (const entry of spelled(answered)) expect(now).toContain(entry);
    // Everything is there whole, and nothing that nobody has asked for.
    const possible = new Set([...spelled(known), ...spelled(upTo(5 * (round + 1)))]);
    expect([...now].filter((line) => !possible.has(line))).toEqual([]);
    expect(now.size).toBeGreaterThanOrEqual(known.length + answered.length);
  }
  await keep();
  // What a killed writer leaves beside the file is replaced by the next one.
  await add(999);
  expect(lines()).toContain(`cert-sha1:${digest(999)}`);
  expect(readdirSync(directory).filter((name) => name.includes('tlspin-new'))).toEqual([]);
}, 120_000);

it('a keeper that is not there is said so, and nothing is written', async () => {
  const { status, err } = await list('add', digest(1));
  expect([status, err]).toEqual([1, expect.stringContaining(join(directory, 'control.sock'))]);
  expect(readdirSync(directory)).toEqual(['tlspin.json']);
});
