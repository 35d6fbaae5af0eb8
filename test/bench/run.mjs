/**
 * `npm run bench`: how fast the engine is, each figure beside a yardstick that was measured in the same run.
 *
 *   npm run bench                               everything, a quarter of an hour on a quiet machine
 *   npm run bench -- NAME…                      only the figures whose names begin so
 *   npm run bench -- --short                    what CI runs: fewer and shorter rounds; exit status 1 if a figure is more
 *                                               than a fifth short of its goal, or of what was ever reached of it
 *   npm run --silent bench -- --json            the same for machines
 *   npm run bench -- --rounds 9 --seconds 3     more patience
 *   npm run bench -- --profile DIRECTORY        engines run under --cpu-prof, their profiles go there
 *   npm run bench -- --list                     the figures
 *
 * This part builds what is measured beside the engine; the rest (inside.mjs) runs in private namespaces.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { requirePrograms, runPrivately } from '../../dist/runtime/demo/private.js';
import { FIGURES } from './figures.mjs';
import { buildTools } from './tools.mjs';

const { values, positionals: names } = readArguments();
const isNumber = (text) => text === undefined || Number(text) > 0;
if (!isNumber(values.rounds) || !isNumber(values.seconds)) fail(2, '--rounds and --seconds take numbers above 0');
const figures = FIGURES.filter(({ longOnly }) => !(values.short && longOnly));
const unknown = names.filter((name) => !figures.some((figure) => figure.name.startsWith(name)));
if (unknown.length > 0) {
  fail(2, `no figure${values.short ? ' of the short form' : ''} is called ${unknown.join(', ')}: see --list`);
}
if (values.list) {
  for (const { name, title } of FIGURES) console.log(`${name.padEnd(26)} ${title}`);
  process.exit(0);
}

const scratch = mkdtempSync(join(tmpdir(), 'tlspin-bench-'));
process.once('exit', () => rmSync(scratch, { recursive: true, force: true }));
try {
  requirePrograms({ ip: 'iproute2', 'iptables-restore': 'iptables', nft: 'nftables', cc: 'build-essential' });
  const plan = {
    scratch,
    names,
    json: values.json,
    short: values.short,
    rounds: Number(values.rounds ?? (values.short ? 3 : 5)),
    seconds: Number(values.seconds ?? (values.short ? 0.7 : 2)),
    profile: values.profile === undefined ? null : resolve(values.profile),
    tools: buildTools(values.short, note),
  };
  process.exitCode = await runPrivately(['node', join(import.meta.dirname, 'inside.mjs'), JSON.stringify(plan)]);
} catch (error) {
  fail(1, error.message);
}

function readArguments() {
  const options = {
    json: { type: 'boolean', default: false },
    short: { type: 'boolean', default: false },
    list: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    profile: { type: 'string' },
  };
  try {
    return parseArgs({ options, allowPositionals: true });
  } catch (error) {
    return fail(2, error.message);
  }
}

function note(line) {
  process.stderr.write(`${line}\n`);
}

function fail(status, message) {
  note(`bench: ${message}`);
  process.exit(status);
}
