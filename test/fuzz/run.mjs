/**
 * Runs every fuzz target for as long as it is told: `npm run fuzz -- --seconds 600 [--seed N] [name…]`. A finding ends the
 * run with exit status 1 and shows the seed and the shrunken input, which belong into a regression test.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = parseArgs({
  options: { seconds: { type: 'string', default: '60' }, seed: { type: 'string' } },
  allowPositionals: true,
});
if (!/^\d+$/.test(values.seconds)) {
  console.error('fuzz: --seconds takes a whole number');
  process.exit(2);
}
const { status } = spawnSync('npx', ['vitest', 'run', '--project', 'fuzz', ...positionals], {
  stdio: 'inherit',
  env: { ...process.env, FUZZ_SECONDS: values.seconds, ...(values.seed ? { FUZZ_SEED: values.seed } : {}) },
});
process.exit(status ?? 1);
