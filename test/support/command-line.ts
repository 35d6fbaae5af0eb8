/** The program as users run it: a process of its own, out of dist/. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';

import { ROOT } from './built.ts';

export const MAIN = `${ROOT}dist/cli/main.js`;

export interface Ended {
  readonly status: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  readonly input?: string | Uint8Array;
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** `npm run test:unit` has built it; whoever runs a test alone need not. */
export function ensureBuilt(): void {
  if (!existsSync(MAIN)) execFileSync('npx', ['tsc', '-p', 'tsconfig.build.json'], { cwd: ROOT, stdio: 'pipe' });
}

/** Neither input nor output is a terminal. */
export function tlspin(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return ended(process.execPath, [MAIN, ...args], options);
}

/** The same on a terminal that script(1) makes, where both streams are one. */
export function tlspinOnTerminal(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return ended('script', ['--quiet', '--return', '--command', `stty columns 120; ${command}`, '/dev/null'], options);
}

function ended(program: string, args: readonly string[], options: RunOptions): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NO_COLOR: '', TERM: 'xterm', ...options.env };
    const child = spawn(program, args, { cwd: options.cwd ?? ROOT, env, stdio: 'pipe' });
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, out, err }));
    // A program that does not read its input is no error.
    child.stdin.on('error', () => {});
    child.stdin.end(options.input ?? '');
  });
}
