/**
 * Programs that tests talk with: those that the README lists for it. A test whose program is not on the machine is left
 * out there; in CI nothing is, and what is missing is a failure that names it.
 */
import { spawnSync } from 'node:child_process';

/** By name, or by path where PATH may lack its folder. */
export function hasProgram(name: string): boolean {
  const isThere = spawnSync('sh', ['-c', 'command -v "$0"', name]).status === 0;
  if (!isThere && (process.env['CI'] ?? '') !== '') {
    throw new Error(`${name} is not on this machine: the README names the packages that tests want`);
  }
  return isThere;
}
