/**
 * The failure table: `npm run faults` plays every fault and writes docs/failures.md, `npm run faults -- NAME…` the lines of
 * some of them; with --check nothing is written, and exit status 1 says that the page is not what happens.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals: names } = readArguments();
const vitest = ['vitest', 'run', '--project', 'faults'];
const { status } = spawnSync('test/support/private.sh', ['npx', ...vitest], {
  stdio: 'inherit',
  env: { ...process.env, FAULTS: JSON.stringify({ check: values.check, names }) },
});
process.exit(status ?? 1);

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { check: { type: 'boolean', default: false } } });
  } catch (error) {
    console.error(`faults: ${error.message}`);
    process.exit(2);
  }
}
