/** The program as users run it: dist/ of the present sources, and the addon; made once, before the end-to-end tests. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { requirePrograms } from '../../src/runtime/demo/private.ts';
import { BASE } from './programs.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Vitest calls it. */
export default function build(): void {
  requirePrograms(BASE);
  execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'pipe' });
  if (!existsSync(`${ROOT}build/Release/node_nfqueue.node`)) {
    execFileSync('npx', ['node-gyp', 'rebuild'], { cwd: ROOT, stdio: 'pipe' });
  }
}
