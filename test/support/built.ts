/** The program as users run it: dist/ of the present sources, and the addon; made once, before the end-to-end tests. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Vitest calls it. */
export default function build(): void {
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'pipe' });
  if (!existsSync(`${ROOT}build/Release/node_nfqueue.node`)) {
    execFileSync('npx', ['node-gyp', 'rebuild'], { cwd: ROOT, stdio: 'pipe' });
  }
}
