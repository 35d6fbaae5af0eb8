/** The program as users run it: dist/ from the present sources, and the addon. Built once a test run. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

let done = false;

export function buildOnce(): void {
  if (done) return;
  done = true;
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'pipe' });
  if (!existsSync(`${ROOT}build/Release/node_nfqueue.node`)) {
    execFileSync('npx', ['node-gyp', 'rebuild'], { cwd: ROOT, stdio: 'pipe' });
  }
}
