/**
 * Debian's own kernel, unpacked and not installed: the one that the release of this machine has, by apt. Kept beside the
 * user's other caches until there is a newer one; knows nothing of the machine that boots it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface Kernel {
  readonly release: string;
  readonly image: string;
  /** What /lib/modules is to be. */
  readonly modules: string;
}

export function stockKernel(): Kernel {
  if (process.arch !== 'x64') throw new Error(`the stock kernel is booted on x64 only, not on ${process.arch}`);
  const name = packageName();
  const cache = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'tlspin-vm');
  const root = join(cache, name);
  if (!existsSync(root)) {
    mkdirSync(cache, { recursive: true });
    const made = mkdtempSync(join(cache, 'unpacking-'));
    try {
      execFileSync('apt-get', ['download', '-q', name], { cwd: made, stdio: ['ignore', 'ignore', 'inherit'] });
      const [file] = readdirSync(made);
      execFileSync('dpkg', ['-x', file!, 'root'], { cwd: made });
      execFileSync('busybox', ['depmod', '-b', 'root', releaseOf(join(made, 'root'))], { cwd: made });
      renameSync(join(made, 'root'), root);
    } finally {
      rmSync(made, { recursive: true });
    }
  }
  const release = releaseOf(root);
  return { release, image: join(root, `boot/vmlinuz-${release}`), modules: join(root, 'lib/modules') };
}

function packageName(): string {
  const depends = execFileSync('apt-cache', ['depends', 'linux-image-amd64'], { encoding: 'utf8' });
  const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
  if (name === undefined) throw new Error('apt knows no linux-image-amd64: it takes Debian, and `apt-get update`');
  return name;
}

function releaseOf(root: string): string {
  return readdirSync(join(root, 'lib/modules'))[0]!;
}
