/**
 * A virtual machine that boots a kernel over this machine's own files (9p, read-only beneath what it writes), runs one
 * shell script as root and ends. Software emulation: it needs no /dev/kvm and no privilege. Knows nothing of the script.
 */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { SYSTEM_PATH } from '../../src/runtime/demo/private.ts';
import type { Kernel } from './kernel.ts';

export interface Job {
  /** Bash. It finds the files in /job, and leaves others there. */
  readonly script: string;
  readonly files: Readonly<Record<string, string>>;
  /** Seconds. */
  readonly limit: number;
  readonly onOutput: (text: string) => void;
}

/** Resolves to what the script wrote. Rejects when it failed, when the machine hung, and when it did not come up. */
export async function runInMachine(kernel: Kernel, { script, files, limit, onOutput }: Job): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'tlspin-vm-'));
  try {
    const job = join(directory, 'job');
    mkdirSync(job);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(job, name), text);
    writeFileSync(join(job, 'run'), script);
    const initramfs = makeInitramfs(kernel, directory);
    const machine = spawn(
      'timeout',
      ['--kill-after=5', `${limit}`, 'qemu-system-x86_64', ...hardware(kernel, initramfs, job)],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { ...process.env, PATH: SYSTEM_PATH },
      },
    );
    let output = '';
    const hear = (data: Buffer): void => {
      output += data.toString('latin1');
      onOutput(data.toString('latin1'));
    };
    machine.stdout.on('data', hear);
    machine.stderr.on('data', hear);
    const code = await new Promise<number | null>((resolve, reject) => {
      machine.once('error', reject);
      machine.once('close', resolve);
    });
    if (code === TIMED_OUT) throw new Error(`the machine did not come to its end within ${limit} s:\n${output}`);
    const status = readStatus(join(job, 'status'));
    if (code !== 0 || status !== 0) throw new Error(`qemu ended with ${code}, the script with ${status}:\n${output}`);
    return output.replaceAll('\r', '');
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** `timeout`'s. */
const TIMED_OUT = 124;
const INIT = fileURLToPath(new URL('init.sh', import.meta.url));
/** What mounts the rest; all other modules come from there. */
const FIRST_MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'];

function hardware(kernel: Kernel, initramfs: string, job: string): string[] {
  const share = (path: string, tag: string, more: string): string[] => [
    '-virtfs',
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${more}`,
  ];
  return [
    // Its clock counts instructions: nothing in there times out because this machine is busy.
    ...['-accel', 'tcg', '-icount', 'shift=2', '-cpu', 'Nehalem', '-smp', '1', '-m', '2048'],
    ...['-nodefaults', '-display', 'none', '-serial', 'stdio', '-no-reboot'],
    ...['-kernel', kernel.image, '-initrd', initramfs],
    ...['-append', 'console=ttyS0 quiet panic=-1 mitigations=off no_timer_check'],
    ...share('/', 'host', ',readonly=on'),
    ...share(kernel.modules, 'modules', ',readonly=on'),
    ...share(job, 'job', ''),
  ];
}

/** busybox, what mounts the shares, and the first program. */
function makeInitramfs(kernel: Kernel, directory: string): string {
  const root = join(directory, 'root');
  mkdirSync(join(root, 'bin'), { recursive: true });
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim();
  copyFileSync(busybox, join(root, 'bin/busybox'));
  symlinkSync('busybox', join(root, 'bin/sh'));
  copyFileSync(INIT, join(root, 'init'));
  const modules = join(kernel.modules, kernel.release);
  const dependencies = readFileSync(join(modules, 'modules.dep'), 'utf8').split('\n');
  const wanted = FIRST_MODULES.flatMap((name) => {
    const line = dependencies.find((each) => each.split(':')[0]!.endsWith(`/${name}.ko`));
    if (line === undefined) throw new Error(`the kernel ${kernel.release} has no module ${name}`);
    return line.replace(':', '').trim().split(' ');
  });
  for (const file of ['modules.dep', ...wanted]) {
    const copy = join(root, 'lib/modules', kernel.release, file);
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(join(modules, file), copy);
  }
  const archive = join(directory, 'initramfs');
  execFileSync('sh', ['-euc', `chmod +x init; find . | cpio -o -H newc --quiet >"$0"`, archive], { cwd: root });
  return archive;
}

function readStatus(path: string): number | undefined {
  try {
    return Number(readFileSync(path, 'utf8'));
  } catch {
    return undefined;
  }
}
