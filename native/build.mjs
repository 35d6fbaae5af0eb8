/**
 * Compiles the addon where its sources are newer, so that the program and its addon are always of one age. Knows neither
 * compilers nor headers: node-gyp does.
 */
import { spawnSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
const ADDON = `${ROOT}build/Release/node_nfqueue.node`;

const sources = readdirSync(ROOT).filter((name) => /\.(c|h|gyp)$/.test(name));
const newest = Math.max(...sources.map((name) => writtenAt(`${ROOT}${name}`)));
if (writtenAt(ADDON) < newest) {
  const { status } = spawnSync('npx', ['--no-install', 'node-gyp', 'rebuild', '--loglevel=warn'], {
    cwd: ROOT,
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

function writtenAt(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
