/** Several destinations of one log: what becomes of one is nothing to the others, and they can be changed. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

import { fileDestination } from '../../src/report/file-destination.ts';
import { VerdictLog } from '../../src/report/verdict-log.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tlspin-several-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const at = (name: string) => join(directory, name);
const open = (...names: string[]) =>
  new VerdictLog({ destinations: names.map((name) => fileDestination(at(name))), backlog: 100 });
const write = (log: VerdictLog, from: number, to: number) => {
  for (let n = from; n < to; n++) log.write({ event_type: 'verdict', n });
};
const numbers = (name: string) =>
  readFileSync(at(name), 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { n: number }).n);
const until = async (isSo: () => boolean) => {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
};
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

it('each has every record, but one that it is not to have', async () => {
  const log = open('a', 'b');
  write(log, 0, 3);
  log.write({ event_type: 'anomaly', n: 3 }, at('a'));
  await log.close();
  expect([numbers('a'), numbers('b')]).toEqual([range(0, 3), range(0, 4)]);
  expect(log.counts).toEqual([
    { name: at('a'), written: 3, dropped: 0 },
    { name: at('b'), written: 4, dropped: 0 },
  ]);
  expect(log.written).toBe(7);
});

it('one whose reader is stuck loses records of its own alone', async () => {
  execFileSync('mkfifo', [at('stuck')]);
  const log = open('file', 'stuck');
  for (let n = 0; n < 400; n++) {
    log.write({ event_type: 'verdict', n, text: 'x'.repeat(1_000) });
    await until(() => log.counts[0]!.written === n + 1);
  }
  await log.close();
  expect(numbers('file')).toEqual(range(0, 400));
  expect(log.counts.map(({ dropped }) => dropped > 0)).toEqual([false, true]);
});

it('one that takes the place of another has every record since, and the other every one before', async () => {
  const log = open('old', 'kept');
  write(log, 0, 50);
  const change = log.prepare([fileDestination(at('kept')), fileDestination(at('new'))]);
  write(log, 50, 60);
  change.commit();
  write(log, 60, 100);
  await log.close();
  expect(numbers('old')).toEqual(range(0, 60));
  expect(numbers('kept')).toEqual(range(0, 100));
  expect(numbers('new')).toEqual(range(50, 100));
  expect([log.written, log.dropped]).toEqual([60 + 100 + 50, 0]);
});

it('a change that is given up, and one that cannot be had, leave all as it was', async () => {
  const log = open('old');
  log.prepare([fileDestination(at('new'))]).cancel();
  expect(() => log.prepare([fileDestination(at('new')), fileDestination(at('none/new'))])).toThrow(
    `log ${at('none/new')}: cannot be opened (ENOENT)`,
  );
  write(log, 0, 3);
  await log.close();
  expect([numbers('old'), numbers('new')]).toEqual([range(0, 3), []]);
  expect(log.counts).toEqual([{ name: at('old'), written: 3, dropped: 0 }]);
});
