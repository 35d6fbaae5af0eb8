/** Everything at once for as long as it is given: `npm run soak -- --minutes 120 [--seed N]`. Exit status 1: a promise did not hold. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const values = readArguments();
if (!(Number(values.minutes) > 0)) refuse('--minutes takes a number above 0');
const { status } = spawnSync('test/support/private.sh', ['npx', 'vitest', 'run', '--project', 'soak'], {
  stdio: 'inherit',
  env: { ...process.env, SOAK_MINUTES: values.minutes, ...(values.seed ? { SOAK_SEED: values.seed } : {}) },
});
process.exit(status ?? 1);

function readArguments() {
  try {
    return parseArgs({ options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string' } } }).values;
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(message) {
  console.error(`soak: ${message}`);
  process.exit(2);
}
