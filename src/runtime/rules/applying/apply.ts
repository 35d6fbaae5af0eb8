/**
 * Puts rules in place, or takes them away, all or nothing: where a part of it fails, what was there before is put back. nft
 * does that itself; of iptables' tables each is a transaction, and all of them together are not. Knows no policy.
 */
import { feedProgram, type FeedProgram, runProgram, type RunProgram } from '../../programs/program.ts';
import type { Hook } from '../plan.ts';
import { renderRemoval, type RulesFormat } from '../render.ts';
import { renderOpening } from './closing.ts';

export interface ApplyOptions {
  readonly hook: Hook | 'either';
  readonly format: RulesFormat;
  /** Of renderBeside. */
  readonly beside?: string | undefined;
  /** For tests. */
  readonly feed?: FeedProgram;
  readonly run?: RunProgram;
}

/** `text`: of renderRules, renderRemoval or renderClosing. Resolves with why nothing has changed; undefined where it has. */
export async function applyRules(text: string, options: ApplyOptions): Promise<string | undefined> {
  const { hook, format, feed = feedProgram } = options;
  if (options.beside !== undefined) await feed('sh', [], options.beside);
  const failed = await (format === 'nft' ? feedRules(text, format, feed) : feedIptables(text, options));
  // What closed the host by the other program would go on doing so.
  if (failed === undefined) await feed('sh', [], renderOpening(hook, OTHER[format]));
  return failed;
}

async function feedIptables(
  text: string,
  { hook, format, feed = feedProgram, run = runProgram }: ApplyOptions,
): Promise<string | undefined> {
  const before = await Promise.all(FAMILIES.map(([save]) => run(save, ['-c'])));
  const failed = await feedRules(text, format, feed);
  if (failed === undefined) return undefined;
  // Tables that were not there yet are in no copy: ours go out of all of them first.
  await feedRules(renderRemoval(hook, format), format, feed);
  for (const [i, [, restore]] of FAMILIES.entries()) {
    const copy = before[i];
    const lost = copy === undefined ? undefined : await feed(restore, ['-w', '10', '-c'], copy);
    if (lost !== undefined) return `${failed}; and what was there before could not be put back: ${lost}`;
  }
  return failed;
}

/** Has a set of rules run as it is. Resolves with what was said where that fails. */
export function feedRules(
  text: string,
  format: RulesFormat,
  feed: FeedProgram,
  patienceMs?: number,
): Promise<string | undefined> {
  const [program, ...args] = PROGRAMS[format];
  return feed(program, args, text, patienceMs);
}

/** The program by which a host is closed where that of the rules cannot do it. */
export const OTHER = { iptables: 'nft', nft: 'iptables' } as const;
const PROGRAMS = { iptables: ['sh'], nft: ['nft', '-f', '-'] } as const;
const FAMILIES = [
  ['iptables-save', 'iptables-restore'],
  ['ip6tables-save', 'ip6tables-restore'],
] as const;
