/**
 * Runs the tests of one file: to record which mutants each of them comes by, or, where a plan says so, again with one
 * mutant on at a time. A test that fails then has killed it. Knows where it writes; what is run when is for others.
 */
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';

import fc from 'fast-check';
import { type RunnerTestCase, TestRunner } from 'vitest';

/** Whoever asks whether a mutant is on has come by it. */
declare global {
  var isMutant: (id: number) => boolean;
}

const { directory, isPlanned } = JSON.parse(process.env['MUTATION']!) as { directory: string; isPlanned: boolean };
const plan = (isPlanned ? JSON.parse(read('plan.json')) : {}) as Readonly<Record<string, readonly number[]>>;
const killed = new Set(lines('killed.ndjson').map(({ id }) => id as number));
/** Tests that have met what they were to meet. */
const done = new Set(lines('done.ndjson').map(({ test }) => test as string));

let passed: Set<number> | undefined;
let on: number | undefined;
let calls = 0;
let mostCalls = Infinity;

globalThis.isMutant = (id) => {
  passed?.add(id);
  calls++;
  if (calls > mostCalls) throw new Error('endless');
  return id === on;
};

// A finding is enough; the smallest is not needed.
fc.configureGlobal({ endOnFailure: true });

export default class MutationRunner extends TestRunner {
  async runTask(test: RunnerTestCase): Promise<void> {
    if (!isPlanned) return record(test);
    const ids = plan[test.id]?.filter((id) => !killed.has(id)) ?? [];
    if (ids.length === 0 || done.has(test.id)) return;
    const { millis, failure } = await timed(test);
    if (failure !== undefined) throw failure;
    const limits = { millis: 1000 + millis * 5, calls: 20_000 + calls * 10 };
    for (const id of ids) await tryMutant(test, id, limits);
    append('done.ndjson', { test: test.id });
  }
}

async function record(test: RunnerTestCase): Promise<void> {
  passed = new Set();
  const { millis, failure } = await timed(test);
  if (failure !== undefined) throw failure;
  append('passed.ndjson', { test: test.id, name: test.name, file: test.file.name, millis, ids: [...passed] });
  passed = undefined;
}

async function tryMutant(test: RunnerTestCase, id: number, limits: { millis: number; calls: number }): Promise<void> {
  writeFileSync(`${directory}/now.json`, JSON.stringify({ id, test: test.name }));
  on = id;
  mostCalls = limits.calls;
  const { failure } = await timed(test, limits.millis);
  on = undefined;
  mostCalls = Infinity;
  if (failure === undefined) return;
  // What it has left behind, or the test itself, may be what fails.
  if ((await timed(test)).failure !== undefined) return;
  killed.add(id);
  append('killed.ndjson', { id, test: `${test.file.name}: ${test.name}`, why: String(failure).slice(0, 200) });
}

async function timed(test: RunnerTestCase, most = Infinity): Promise<{ millis: number; failure?: unknown }> {
  calls = 0;
  const since = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const overdue = new Promise<never>((_resolve, reject) => {
    if (most < Infinity) timer = setTimeout(() => reject(new Error('too long')), most);
  });
  try {
    for (let { suite } = test; suite !== undefined; suite = suite.suite!) {
      for (const hook of TestRunner.getSuiteHooks(suite).beforeEach) await hook(test.context, suite);
    }
    await Promise.race([TestRunner.getTestFn(test)(), overdue]);
    return { millis: performance.now() - since };
  } catch (failure) {
    return { millis: performance.now() - since, failure };
  } finally {
    clearTimeout(timer);
  }
}

function read(name: string): string {
  return readFileSync(`${directory}/${name}`, 'utf8');
}

function lines(name: string): Record<string, unknown>[] {
  if (!existsSync(`${directory}/${name}`)) return [];
  const written = read(name).split('\n').filter(Boolean);
  return written.map((line) => JSON.parse(line) as Record<string, unknown>);
}

function append(name: string, value: object): void {
  appendFileSync(`${directory}/${name}`, `${JSON.stringify(value)}\n`);
}
