/**
 * Whether somebody who sees all connections can tell a probe from its client: `npm run game` plays it and writes what came of
 * it into docs/evasions.md. `--pairs N`: so many of each client; `--tables 'first|again'`: these alone; `--ways`: over ways
 * that take time; `--clients 'curl|go'`: these alone, and the page stays; `--keep FILE`: what was seen, for a closer look.
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
  const options = {
    pairs: { ...text, default: '250' },
    clients: text,
    tables: text,
    ways: { type: 'boolean', default: false },
    keep: text,
  };
  try {
    return parseArgs({ options });
  } catch (error) {
    console.error(`game: ${error.message}`);
    process.exit(2);
  }
}
