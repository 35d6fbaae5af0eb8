/**
 * Real clients at real servers: `npm run matrix` plays every pair and writes docs/matrix.md and docs/matrix-starttls.md; with
 * `https` or `upgrades` one of them. `npm run matrix -- --clients 'curl|wget' --servers nginx` plays some pairs; of the others
 * the pages say what they said.
 * `--lanes N`: so many servers at a time. Exit status 1: something forged came through, or something genuine did not.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values, positionals } = readArguments();
const vitest = ['vitest', 'run', '--project', 'matrix', ...positionals];
const { status } = spawnSync('test/support/private.sh', ['npx', ...vitest], {
  stdio: 'inherit',
  env: { ...process.env, MATRIX: JSON.stringify(values) },
});
process.exit(status ?? 1);

function readArguments() {
  const text = { type: 'string' };
  try {
    const options = { clients: text, servers: text, lanes: { ...text, default: '3' } };
    return parseArgs({ allowPositionals: true, options });
  } catch (error) {
    console.error(`matrix: ${error.message}`);
    process.exit(2);
  }
}
