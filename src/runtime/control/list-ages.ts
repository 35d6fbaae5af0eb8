/**
 * Tells when lists become stale while tlspin runs, which nobody would see who reads warnings at the start: the file
 * whose entries are in force has become older than the list's `maxAge`. What is in force stays so, because an old list
 * of bad certificates is better than none; it is said, logged, and part of `status` until a newer file is in force.
 *
 *   fresh ──older than maxAge──▶ stale ──a newer file is in force, or no maxAge──▶ fresh
 */
import type { CompiledList } from '../../pins/policy.ts';
import type { Protection } from '../protection/protection.ts';
import type { LiveConfiguration } from './configuration.ts';
import { writtenAt } from './file-watch.ts';

export interface ListAgesOptions {
  readonly configuration: Pick<LiveConfiguration, 'policy' | 'modifiedAt'>;
  readonly protection: Protection;
}

export class ListAges {
  readonly #options: ListAgesOptions;

  constructor(options: ListAgesOptions) {
    this.#options = options;
  }

  /** To be called each second, and when a configuration has come into force. */
  look(): void {
    const { configuration, protection } = this.#options;
    const { lists } = configuration.policy;
    const stale = lists.filter((list) => isStale(list, configuration));
    for (const { code, subject } of protection.conditions) {
      if (code !== 'list.stale' || stale.some(({ id }) => id === subject)) continue;
      const isGone = !lists.some(({ id }) => id === subject);
      protection.end(code, subject, `the list "${subject}" is ${isGone ? 'gone' : 'not stale any more'}`);
    }
    protection.hold('list.stale', new Map(stale.map((list) => [list.id, this.#describe(list)])));
  }

  #describe({ id, file, maxAge }: CompiledList): string {
    const modified = this.#options.configuration.modifiedAt(file!)!;
    const age = `is of ${new Date(modified).toISOString()}, older than its maxAge of ${durationText(maxAge!)}`;
    const newer = isNewer(file!, modified) ? ' (there is a newer one, which a reload takes)' : '';
    return `the list "${id}" is stale: ${file} ${age}${newer}`;
  }
}

/** Whether the content in force is of a file that was last written longer ago than the list allows. */
export function isStale({ file, maxAge }: CompiledList, configuration: Pick<LiveConfiguration, 'modifiedAt'>): boolean {
  const modified = file === null ? undefined : configuration.modifiedAt(file);
  return maxAge !== undefined && modified !== undefined && Date.now() - modified > maxAge;
}

function isNewer(file: string, modifiedMs: number): boolean {
  const now = writtenAt(file);
  return now !== undefined && now > modifiedMs;
}

/** As configurations spell it. */
function durationText(milliseconds: number): string {
  const [unit, size] = UNITS.find(([, each]) => milliseconds % each === 0)!;
  return `${milliseconds / size}${unit}`;
}

const UNITS = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
] as const;
