/** What a row or a column of the matrix is about: a program, where Debian has it, and how it says its version. */
import { execFileSync, spawnSync } from 'node:child_process';

import { SYSTEM_PATH } from '../../src/runtime/demo/private.ts';

export interface Program {
  readonly name: string;
  /** Debian's packages. */
  readonly debian: string;
  /** A shell command that succeeds where it is installed, and whose first line of output has the version. */
  readonly version: string;
}

/** Undefined where it is not installed. */
export function versionOf({ version }: Program): string | undefined {
  if (!known.has(version)) known.set(version, ask(version));
  return known.get(version);
}

function ask(version: string): string | undefined {
  const env = { ...process.env, PATH: SYSTEM_PATH };
  const { status, stdout, stderr } = spawnSync('bash', ['-o', 'pipefail', '-c', version], { env, encoding: 'utf8' });
  return status === 0 ? /\d+(?:\.\d+)*(?:\.?[a-z]\d*)?/.exec(`${stdout}${stderr}`)?.[0] : undefined;
}

const known = new Map<string, string | undefined>();

/** The command that prints the version of a package, for programs that do not say it. */
export function packaged(name: string): string {
  return `dpkg-query -W -f '\${Status} \${Version}\\n' ${name} | sed -nE 's/^install ok installed ([0-9]+:)?//p' | grep .`;
}

/** The operating system that all of them are of. */
export function system(): string {
  const names = execFileSync('sh', ['-c', '. /etc/os-release; echo "$PRETTY_NAME"'], { encoding: 'utf8' });
  return names.trim();
}
