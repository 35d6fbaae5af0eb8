/**
 * Runs every fuzz target for as long as it is told: `npm run fuzz -- --seconds 600 [--seed N] [name…]`. A finding ends the
 * run with exit status 1 and shows the seed and the shrunken input, which belong into a regression test.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = readArguments();
if (!/^\d+$/.test(values.seconds)) refuse('--seconds takes a whole number');
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'fuzz', ...positionals], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SECONDS: values.seconds, ...(values.seed ? { FUZZ_SEED: values.seed } : {}) },
});
process.exit(status ?? 1);

function readArguments() {
  try {
    return parseArgs({
      options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
      allowPositionals: true,
    });
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(message) {
  console.error(`fuzz: ${message}`);
  process.exit(2);
}
