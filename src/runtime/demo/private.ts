/**
 * Runs a command where it may build networks and can leave nothing behind: in network, mount and process namespaces of
 * its own, and for ordinary users in a user namespace in which they are root. When the command ends, the kernel ends
 * everything that it started.
 */
import { spawn, spawnSync } from 'node:child_process';

/** The system's own word for why not, and the cure. */
export class NoNamespacesError extends Error {}

/** Debian keeps iptables out of ordinary users' PATH. */
export const SYSTEM_PATH = `${process.env['PATH'] ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`;

/** Throws a sentence that names what is missing and the package to install. */
export function requirePrograms(programs: Readonly<Record<string, string>>): void {
  const missing = Object.keys(programs).filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`], { env: { PATH: SYSTEM_PATH } }).status !== 0,
  );
  if (missing.length === 0) return;
  const packages = [...new Set(missing.map((program) => programs[program]))];
  throw new Error(`${missing.join(', ')} not found: install ${packages.join(' ')} (apt install ${packages.join(' ')})`);
}

/** Resolves to the exit status of the command. Its standard streams are this process's. */
export async function runPrivately(command: readonly string[]): Promise<number> {
  const root = process.getuid?.() === 0;
  const env = { ...process.env, PATH: SYSTEM_PATH };
  const probe = spawnSync('unshare', [...flags(root), 'sh', '-c', `${PREPARE} && ip link set lo up`], { env });
  if (probe.status !== 0) throw new NoNamespacesError(refusal(root, `${probe.stderr}`.trim()));
  const child = spawn('unshare', [...flags(root), 'sh', '-c', `${PREPARE} && exec "$@"`, 'sh', ...command], {
    env,
    stdio: 'inherit',
  });
  // A terminal sends its signal to the command too, which tidies up; whoever does not end by itself is ended.
  const end = (): void => void setTimeout(() => child.kill('SIGKILL'), GRACE).unref();
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, end);
  try {
    return await new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code) => resolve(code ?? INTERRUPTED));
    });
  } finally {
    for (const signal of signals) process.off(signal, end);
  }
}

const GRACE = 1_000;
/** 128 + SIGINT, as shells have it. */
const INTERRUPTED = 130;

/** `ip netns` keeps its names under /run, which ordinary users cannot write, and which others should not see. */
const PREPARE = 'mount -t tmpfs none /run';

function flags(root: boolean): string[] {
  const user = root ? [] : ['--user', '--map-root-user'];
  return [...user, '--net', '--mount', '--pid', '--fork', '--kill-child'];
}

function refusal(root: boolean, reason: string): string {
  const cure = root
    ? 'root has no CAP_SYS_ADMIN here (a container?): run it on the host, or in a privileged container'
    : 'this system lets ordinary users make no network namespaces: run it with sudo';
  return `${cure} (${reason || 'unshare failed'})`;
}
