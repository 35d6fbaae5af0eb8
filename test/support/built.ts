/** The program as users run it: dist/ of the present sources, and the addon; made once, before the end-to-end tests. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import { requirePrograms } from '../../src/runtime/demo/private.ts';
import { BASE } from './programs.ts';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Vitest calls it. */
export default function build(): void {
  requirePrograms(BASE);
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: ROOT, stdio: 'pipe' });
}
