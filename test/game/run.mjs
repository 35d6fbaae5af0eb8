/**
 * Whether somebody who sees all connections can tell a probe from its client: `npm run game` plays it and writes what came of
 * it into docs/evasions.md. `--pairs N`: so many of each client; `--clients 'curl|go'`: these alone, and the page stays.
 */
import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';

const { values } = readArguments();
const { status } = spawnSync('test/support/private.sh', ['npx', 'vitest', 'run', '--project', 'game'], {
  stdio: 'inherit',
  env: { ...process.env, GAME: JSON.stringify(values) },
});
process.exit(status ?? 1);

function readArguments() {
  const text = { type: 'string' };
  try {
    return parseArgs({ options: { pairs: { ...text, default: '250' }, clients: text } });
  } catch (error) {
    console.error(`game: ${error.message}`);
    process.exit(2);
  }
}
