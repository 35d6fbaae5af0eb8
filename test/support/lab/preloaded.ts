/** A library of test/support/peers, built for a process that is started with it. */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { Lab } from './lab.ts';

/** Its path. */
export function buildPreloaded(lab: Lab, name: string): string {
  const library = lab.path(`${name}.so`);
  const source = fileURLToPath(new URL(`../peers/${name}.c`, import.meta.url));
  execFileSync('cc', ['-O1', '-Wall', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  return library;
}
