/**
 * Watches the kernel's log during the end-to-end tests: rewritten packets must not make a device complain. Only real
 * root may read it; for others there is nothing to watch.
 */
import { spawnSync } from 'node:child_process';

/** Vitest calls it, and what it returns when the tests are over. */
export default function watch(): () => void {
  const before = new Set(complaints());
  return () => {
    const fresh = complaints().filter((line) => !before.has(line));
    if (fresh.length > 0) throw new Error(`the kernel complained:\n${fresh.join('\n')}`);
  };
}

function complaints(): string[] {
  const { stdout } = spawnSync('dmesg', { encoding: 'utf8' });
  return (stdout ?? '').split('\n').filter((line) => /bad_offload|WARNING:|BUG:|Call Trace/.test(line));
}
