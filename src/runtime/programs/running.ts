/**
 * Runs another program from its beginning to its end. By the addon, in a thread of its own and without a copy of this process:
 * Node forks, which takes milliseconds of a large process, and its packet threads then pay for each page that they write to.
 * By Node where the addon or the kernel is not up to that. Knows no program.
 */
import { execFile, type ExecFileException } from 'node:child_process';
import { constants } from 'node:os';

import { loadBinding, type NativeBinding } from '../../source/binding.ts';

export interface RunOptions {
  /** What of it is wanted. */
  readonly kept: 'stdout' | 'stderr';
  /** What it reads; undefined: nothing. */
  readonly input?: string;
  readonly patienceMs: number;
}

export interface Ending {
  readonly output: string;
  /** Said of the program; undefined where it has ended well. */
  readonly failure: string | undefined;
}

export async function runToEnd(program: string, args: readonly string[], options: RunOptions): Promise<Ending> {
  return (await runByAddon(program, args, options)) ?? runByNode(program, args, options);
}

/** Undefined where it cannot be started that way, and nothing has run. */
export function runByAddon(
  program: string,
  args: readonly string[],
  { kept, input, patienceMs }: RunOptions,
): Promise<Ending | undefined> {
  const argv = [program, ...args];
  const options = { argv, input, kept: kept === 'stdout' ? 1 : 2, patienceMs, mostOctets: MOST_OCTETS } as const;
  return new Promise((resolve) => {
    const errno = bindingHere()?.runProgram(options, (ending) => {
      const { errno, tookTooLong, saidTooMuch, status, signal, output } = ending;
      if (errno === constants.errno.ENOENT) resolve({ output, failure: MISSING });
      else if (errno !== 0) resolve(undefined);
      else if (tookTooLong) resolve({ output, failure: tookLonger(patienceMs) });
      else if (saidTooMuch) resolve({ output, failure: SAID_TOO_MUCH });
      else resolve({ output, failure: status === 0 ? undefined : endedBy(status, nameOf(signal)) });
    });
    if (errno !== 0) resolve(undefined);
  });
}

export function runByNode(
  program: string,
  args: readonly string[],
  { kept, input, patienceMs }: RunOptions,
): Promise<Ending> {
  const options = { encoding: 'utf8', timeout: patienceMs, maxBuffer: MOST_OCTETS } as const;
  return new Promise((resolve) => {
    const child = execFile(program, args, options, (error, stdout, stderr) =>
      resolve({ output: kept === 'stdout' ? stdout : stderr, failure: error === null ? undefined : whyOf(error) }),
    );
    child.stdin?.on('error', () => {}); // its end tells
    child.stdin?.end(input);
  });

  function whyOf({ code, killed, signal }: ExecFileException): string {
    if (code === 'ENOENT') return MISSING;
    if (code === 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER') return SAID_TOO_MUCH;
    if (killed === true) return tookLonger(patienceMs);
    return typeof code === 'string' ? `cannot be started: ${code}` : endedBy(code ?? -1, signal ?? undefined);
  }
}

function bindingHere(): NativeBinding | undefined {
  try {
    return loadBinding();
  } catch {
    return undefined; // commands go without it
  }
}

function tookLonger(patienceMs: number): string {
  return `took longer than ${patienceMs / 1000} s`;
}

function endedBy(status: number, signal: string | undefined): string {
  return signal === undefined ? `ended with status ${status}` : `was ended by ${signal}`;
}

function nameOf(signal: number): string | undefined {
  return Object.entries(constants.signals).find(([, number]) => number === signal)?.[0];
}

const MISSING = 'is missing: install the package that has it';
const SAID_TOO_MUCH = 'says more than anybody reads';
const MOST_OCTETS = 1 << 28;
