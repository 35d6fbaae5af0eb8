/** Real files with dates of their own; the time of day is made up. */
import { mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { AnomalyEvent, FlowEvent } from '../../../src/judge/events.ts';
import { LiveConfiguration } from '../../../src/runtime/control/configuration.ts';
import { readConfiguration } from '../../../src/runtime/control/configuration/reading.ts';
import { isStale, ListAges } from '../../../src/runtime/control/list-ages.ts';
import { EachSecond } from '../../../src/runtime/protection/each-second.ts';
import { Protection } from '../../../src/runtime/protection/protection.ts';

const MIDNIGHT = Date.UTC(2026, 10, 22);
const HOUR = 3_600_000;
const LIST = `${'a'.repeat(40)}\n`;

let directory: string;
let file: string;
let said: string[];
let logged: FlowEvent[];
let ages: ListAges;
let eachSecond: EachSecond | undefined;

beforeEach(() => {
  vi.useFakeTimers({ now: MIDNIGHT });
  directory = mkdtempSync(join(tmpdir(), 'tlspin-ages-'));
  file = join(directory, 'tlspin.json');
  said = [];
  logged = [];
});
afterEach(() => {
  eachSecond?.stop();
  vi.useRealTimers();
  rmSync(directory, { recursive: true });
});

/** Fetched so many hours ago. */
function fetchList(hoursAgo: number): void {
  const path = join(directory, '0.list');
  writeFileSync(path, LIST);
  const at = (Date.now() - hoursAgo * HOUR) / 1000;
  utimesSync(path, at, at);
}

const configure = (list: object) => writeFileSync(file, JSON.stringify({ version: 1, lists: { 0: list } }));

function started(list: object = { file: '0.list', maxAge: '36h' }): LiveConfiguration {
  configure(list);
  const loaded = readConfiguration(file);
  if ('errors' in loaded) throw new Error(loaded.errors.map((error) => error.text).join('\n'));
  const configuration = new LiveConfiguration({
    file,
    loaded,
    apply: async () => ({ isInForce: true, generation: 2, silent: [] }),
    onChange: (change) => change.isInForce && ages.look(),
  });
  const say = (line: string) => void said.push(line);
  const protection = new Protection({ log: { write: (events) => void logged.push(...events) }, say });
  ages = new ListAges({ configuration, protection });
  eachSecond = new EachSecond(ages);
  eachSecond.start();
  return configuration;
}

const codes = () =>
  logged.map((event) => [(event as AnomalyEvent).code, (event as AnomalyEvent).condition?.state].join(' '));
const staleNow = (configuration: LiveConfiguration) =>
  configuration.policy.lists.map((list) => isStale(list, configuration));

it('a list that becomes stale while tlspin runs is told of then, once, and stays in force', async () => {
  fetchList(33);
  const configuration = started();
  vi.advanceTimersByTime(3 * HOUR);
  expect([said, staleNow(configuration)]).toEqual([[], [false]]);
  vi.advanceTimersByTime(31_000);
  const path = join(directory, '0.list');
  const detail = `the list "0" is stale: ${path} is of 2026-11-20T15:00:00.000Z, older than its maxAge of 36h`;
  expect(said).toEqual([`degraded (list.stale): ${detail}: fetch it anew, and reload`]);
  expect(logged).toEqual([
    {
      kind: 'anomaly',
      time: expect.any(Number),
      flowId: 0,
      client: null,
      server: null,
      code: 'list.stale',
      detail,
      condition: { severity: 'degraded', state: 'begin', subject: '0' },
    },
  ]);
  expect((logged[0] as AnomalyEvent).time).toBeLessThanOrEqual((MIDNIGHT + 3 * HOUR + 31_000) * 1000);
  vi.advanceTimersByTime(HOUR);
  expect([said.length, staleNow(configuration)]).toEqual([1, [true]]);
  expect(configuration.policy.lists[0]!.entries).toHaveLength(1);
});

it('it is told of at the start where it is stale already', () => {
  fetchList(37);
  started();
  expect(codes()).toEqual(['list.stale begin']);
});

it('in a folder that is looked into no more it becomes stale all the same', () => {
  fetchList(33);
  const configuration = started();
  renameSync(directory, `${directory}-moved`);
  writeFileSync(directory, 'what is below it is ENOTDIR, as it is EACCES for a user who may not look');
  try {
    vi.advanceTimersByTime(4 * HOUR);
    expect([codes(), configuration.isBehind()]).toEqual([['list.stale begin'], false]);
  } finally {
    rmSync(directory);
    renameSync(`${directory}-moved`, directory);
  }
});

it('a newer file ends it when it is in force, and not before', async () => {
  fetchList(37);
  const configuration = started();
  fetchList(0);
  vi.advanceTimersByTime(HOUR);
  expect([codes(), staleNow(configuration)]).toEqual([['list.stale begin'], [true]]);
  await configuration.reload('SIGHUP');
  expect([codes(), staleNow(configuration)]).toEqual([['list.stale begin', 'list.stale end'], [false]]);
  expect(said.at(-1)).toMatch(/^over after \d+ s \(list.stale\): the list "0" is not stale any more$/);
  // And so again.
  vi.advanceTimersByTime(37 * HOUR);
  expect(codes()).toEqual(['list.stale begin', 'list.stale end', 'list.stale begin']);
});

it('where the newer file only waits to be read, the cure is to read it', () => {
  fetchList(35);
  started();
  fetchList(0);
  vi.advanceTimersByTime(2 * HOUR);
  expect(said).toEqual([expect.stringContaining('there is a newer one, which a reload takes')]);
});

it('a file that is as old after a reload does not end it', async () => {
  fetchList(37);
  const configuration = started();
  await configuration.reload('SIGHUP');
  expect(codes()).toEqual(['list.stale begin']);
});

it.each([
  ['is gone', {}, 'the list "0" is gone'],
  ['has no maxAge any more', { 0: { file: '0.list' } }, 'the list "0" is not stale any more'],
])('it ends with a configuration in which the list %s', async (_, lists, line) => {
  fetchList(37);
  const configuration = started();
  writeFileSync(file, JSON.stringify({ version: 1, lists }));
  await configuration.reload('SIGHUP');
  expect([codes(), said.at(-1)]).toEqual([
    ['list.stale begin', 'list.stale end'],
    `over after 0 s (list.stale): ${line}`,
  ]);
});

it('entries that are written into the document have no age', () => {
  const configuration = started({ entries: ['a'.repeat(40)], maxAge: '1h' });
  vi.advanceTimersByTime(48 * HOUR);
  expect([said, staleNow(configuration)]).toEqual([[], [false]]);
});

it.each([
  ['7d', '7d'],
  ['36h', '36h'],
  ['90m', '90m'],
  ['90s', '90s'],
  ['2w', '14d'],
])('an age of %s is told as %s', (maxAge, told) => {
  fetchList(24 * 30);
  started({ file: '0.list', maxAge });
  expect(said[0]).toContain(`older than its maxAge of ${told}:`);
});
