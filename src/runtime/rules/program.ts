/** Other programs, asked without anybody waiting for them. Knows none of them. */
import { execFile, type ExecFileException } from 'node:child_process';

/** Standard output of a program; undefined when it is missing or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

export function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, args, { encoding: 'utf8', timeout: PATIENCE_MS, maxBuffer: MOST_OCTETS }, (error, stdout) =>
      resolve(error === null ? stdout : undefined),
    );
  });
}

/** What programs print as JSON; empty where it is none. */
export function parsed<T>(text: string | undefined): readonly T[] {
  try {
    return JSON.parse(text ?? '[]') as T[];
  } catch {
    return [];
  }
}

/** Has a program run with that as its standard input; resolves with what it says where it fails. */
export type FeedProgram = (
  program: string,
  args: readonly string[],
  input: string,
  patienceMs?: number,
) => Promise<string | undefined>;

/** Resolves with what it has said of its failure; undefined where it has done what it was to do. */
export function feedProgram(
  program: string,
  args: readonly string[],
  input: string,
  patienceMs = FEEDING_PATIENCE_MS,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = execFile(program, args, { encoding: 'utf8', timeout: patienceMs }, (error, _, stderr) =>
      resolve(error === null ? undefined : stderr.trim() || whyNot(error, program, patienceMs)),
    );
    child.stdin?.on('error', () => {}); // its end tells
    child.stdin?.end(input);
  });
}

function whyNot({ code, killed, message }: ExecFileException, program: string, patienceMs: number): string {
  if (code === 'ENOENT') return `${program} is missing: install the package that has it`;
  return killed === true ? `${program} took longer than ${patienceMs / 1000} s` : message;
}

const PATIENCE_MS = 10_000;
/** The rules' script has many a step, each of which waits for xtables' lock for up to ten seconds. */
const FEEDING_PATIENCE_MS = 45_000;
const MOST_OCTETS = 1 << 28;
