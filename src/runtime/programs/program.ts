/** Other programs, asked without anybody waiting for them. Knows none of them. */
import { runToEnd } from './running.ts';

/** Standard output of a program; undefined when it is missing or fails. */
export type RunProgram = (program: string, args: readonly string[]) => Promise<string | undefined>;

export async function runProgram(program: string, args: readonly string[]): Promise<string | undefined> {
  const { output, failure } = await runToEnd(program, args, { kept: 'stdout', patienceMs: PATIENCE_MS });
  return failure === undefined ? output : undefined;
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
export async function feedProgram(
  program: string,
  args: readonly string[],
  input: string,
  patienceMs = FEEDING_PATIENCE_MS,
): Promise<string | undefined> {
  const { output, failure } = await runToEnd(program, args, { kept: 'stderr', input, patienceMs });
  return failure === undefined ? undefined : output.trim() || `${program} ${failure}`;
}

const PATIENCE_MS = 10_000;
/** The rules' script has many a step, each of which waits for xtables' lock for up to ten seconds. */
const FEEDING_PATIENCE_MS = 45_000;
