/** Floods, and how honest visitors fare meanwhile: `npm run bench:load [-- [--share 0.1] NAME…]`. Exit status 1: a promise did not hold. */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals: names } = readArguments();
const share = Number(values.share);
if (!(share > 0 && share <= 1)) refuse('--share takes a number up to 1');
const { status } = spawnSync('test/support/private.sh', ['npx', 'vitest', 'run', '--project', 'load'], {
  stdio: 'inherit',
  env: { ...process.env, LOAD: JSON.stringify({ names, share }) },
});
process.exit(status ?? 1);

function readArguments() {
  try {
    return parseArgs({ allowPositionals: true, options: { share: { type: 'string', default: '1' } } });
  } catch (error) {
    return refuse(error.message);
  }
}

function refuse(message) {
  console.error(`bench:load: ${message}`);
  process.exit(2);
}
