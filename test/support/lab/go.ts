/** Programs of test/support/peers that are written in Go: built when they are first wanted, gone with the process. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Identity } from '../../../src/runtime/demo/certificates.ts';
import type { Child } from '../../../src/runtime/demo/child.ts';
import { started } from '../programs.ts';
import type { Lab } from './lab.ts';

/** Path of the program. */
export function goProgram(name: string): string {
  const known = programs.get(name);
  if (known !== undefined) return known;
  const program = join(directory(), name);
  const source = fileURLToPath(new URL(`../peers/${name}.go`, import.meta.url));
  execFileSync(started('go'), ['build', '-o', program, source], { stdio: 'pipe' });
  programs.set(name, program);
  return program;
}

/** Go's own TLS server. */
export async function startGoServer(lab: Lab, host: string, identity: Identity, port = 443): Promise<Child> {
  const child = lab.start(host, [goProgram('tls-server'), `[::]:${port}`, identity.cert, identity.key]);
  await child.says(/listening/);
  return child;
}

function directory(): string {
  if (made !== undefined) return made;
  const path = mkdtempSync(join(tmpdir(), 'tlspin-go-'));
  process.once('exit', () => rmSync(path, { recursive: true, force: true }));
  return (made = path);
}

const programs = new Map<string, string>();
let made: string | undefined;
