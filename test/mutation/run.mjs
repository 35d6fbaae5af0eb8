/**
 * Whether every check has a test that fails without it: `npm run mutation -- [FILE…]` turns off, one at a time, the checks
 * and permissions of the judge, of the gate and of datagrams, and names those that no unit test misses. With FILEs only
 * theirs. First all tests run once, and say which mutants they come by; then each mutant meets the tests that come by the
 * fewest, and last those that take long. Exit status 1 where one has survived that `equivalent.json` does not explain.
 */
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { mutate } from './mutants.mjs';

const FOLDERS = ['src/judge', 'src/datagram'];
const GATE = ['gate', 'permission', 'inspection', 'held'].map((name) => `src/connection/${name}.ts`);
/** Which of the tests that come by it a mutant meets, one pass after the other, and how many milliseconds those may take. */
const PASSES = [
  { from: 0, to: 8, most: 300 },
  { from: 8, to: 200, most: 300 },
  { from: 0, to: 6, most: 3000 },
];
/** A mutant that says nothing for so long turns in a circle. */
const SILENCE_MILLIS = 30_000;

const directory = mkdtempSync(join(tmpdir(), 'tlspin-mutation-'));
const { positionals, values } = readArguments();
const mutants = writeMutants(filesOf(positionals));
await vitest({ isPlanned: false }, values.tests);
for (const pass of PASSES) await meet(pass);
report();

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { tests: { type: 'string', multiple: true, default: [] } } });
  } catch (error) {
    return refuse(error.message);
  }
}

function filesOf(chosen) {
  const all = [
    ...FOLDERS.flatMap((folder) => readdirSync(folder, { recursive: true }).map((name) => `${folder}/${name}`)),
  ];
  const files = [...all.filter((name) => name.endsWith('.ts')).sort(), ...GATE];
  const unknown = chosen.find((name) => !files.includes(name));
  if (unknown !== undefined) refuse(`${unknown} is none of the files that are mutated: ${files.join(' ')}`);
  return chosen.length === 0 ? files : chosen;
}

function writeMutants(files) {
  const code = {};
  const all = [];
  for (const file of files) {
    const mutated = mutate(file, readFileSync(file, 'utf8'), all.length);
    code[file] = mutated.code;
    all.push(...mutated.mutants);
  }
  writeFileSync(`${directory}/mutants.json`, JSON.stringify(all));
  writeFileSync(`${directory}/code.json`, JSON.stringify(code));
  console.log(`${all.length} mutants in ${files.length} files (${directory})`);
  return all;
}

/** Those that live meet some of the tests that come by them. */
async function meet({ from, to, most }) {
  const killed = new Set(lines('killed.ndjson').map(({ id }) => id));
  const tests = ranked(lines('passed.ndjson').filter(({ millis }) => millis <= most));
  const plan = {};
  for (const { id } of mutants.filter((each) => !killed.has(each.id))) {
    const meeting = tests.filter(({ ids }) => ids.has(id)).slice(from, to);
    for (const { test } of meeting) (plan[test] ??= []).push(id);
  }
  const files = new Set(tests.filter(({ test }) => plan[test] !== undefined).map(({ file }) => file));
  writeFileSync(`${directory}/plan.json`, JSON.stringify(plan));
  const meetings = Object.values(plan).reduce((sum, ids) => sum + ids.length, 0);
  console.log(`${mutants.length - killed.size} mutants alive: ${meetings} meetings with tests of ${files.size} files`);
  rmSync(`${directory}/done.ndjson`, { force: true });
  while (await vitest({ isPlanned: true }, [...files]));
}

/** Those first that say most: of each name one, and of these the ones that come by the fewest mutants. */
function ranked(tests) {
  const seen = new Map();
  const each = tests.map((test) => {
    const name = `${test.file} ${test.name}`;
    const rank = seen.get(name) ?? 0;
    seen.set(name, rank + 1);
    return { ...test, ids: new Set(test.ids), rank };
  });
  return each.sort((a, b) => a.rank - b.rank || a.ids.size - b.ids.size);
}

/** True where it has to begin again, without the mutant that turned in a circle. */
function vitest(mutation, files) {
  rmSync(`${directory}/now.json`, { force: true });
  const options = ['run', '--project', 'mutation', '--reporter', 'dot', ...files];
  const env = { ...process.env, MUTATION: JSON.stringify({ directory, ...mutation }) };
  const child = spawn('npx', ['vitest', ...options], { detached: true, stdio: ['ignore', 'ignore', 'ignore'], env });
  return new Promise((resolve) => {
    let isEndless = false;
    const timer = setInterval(() => {
      const now = `${directory}/now.json`;
      if (!existsSync(now) || Date.now() - statSync(now).mtimeMs < SILENCE_MILLIS) return;
      isEndless = true;
      appendFileSync(
        `${directory}/killed.ndjson`,
        `${JSON.stringify({ ...JSON.parse(read('now.json')), why: 'endless' })}\n`,
      );
      process.kill(-child.pid, 'SIGKILL');
    }, 1000);
    child.on('close', () => {
      clearInterval(timer);
      resolve(isEndless);
    });
  });
}

function report() {
  const killed = new Set(lines('killed.ndjson').map(({ id }) => id));
  const met = new Set(lines('passed.ndjson').flatMap(({ ids }) => ids));
  const explained = JSON.parse(readFileSync('test/mutation/equivalent.json', 'utf8'));
  const isExplained = ({ file, text, kind }) =>
    explained.some((e) => e.file === file && e.text === text && e.mutant === kind);
  const alive = mutants.filter(({ id }) => !killed.has(id));
  const left = alive.filter((mutant) => !isExplained(mutant));
  for (const { id, file, line, text, kind } of left) {
    console.log(`${file}:${line} ${kind}: ${text}${met.has(id) ? '' : ' (no test comes by)'}`);
  }
  console.log(
    `${mutants.length} mutants, ${killed.size} killed, ${alive.length - left.length} explained, ${left.length} survived`,
  );
  process.exit(left.length === 0 ? 0 : 1);
}

function refuse(message) {
  console.error(`mutation: ${message}`);
  process.exit(2);
}

function lines(name) {
  return existsSync(`${directory}/${name}`)
    ? read(name)
        .split('\n')
        .filter(Boolean)
        .map((line) => JSON.parse(line))
    : [];
}

function read(name) {
  return readFileSync(`${directory}/${name}`, 'utf8');
}
