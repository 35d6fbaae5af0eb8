/**
 * Tells when lists become stale while tlspin runs, which nobody would see who reads warnings at the start: the file
 * whose entries are in force has become older than the list's `maxAge`. What is in force stays so, because an old list
 * of bad certificates is better than none; it is said, logged, and part of `status` until a newer file is in force.
 *
 *   fresh ──older than maxAge──▶ stale: `list.stale` ──a newer file is in force, or no maxAge──▶ fresh: `list.fresh`
 */
import { statSync } from 'node:fs';

import type { FlowEvent } from '../../judge/events.ts';
import type { CompiledList } from '../../pins/policy.ts';
import type { LiveConfiguration } from './configuration.ts';

export interface ListAgesOptions {
  readonly configuration: Pick<LiveConfiguration, 'policy' | 'modifiedAt'>;
  readonly log: { write(events: readonly FlowEvent[]): void };
  /** One line to the operator. */
  readonly say: (line: string) => void;
}

export class ListAges {
  readonly #options: ListAgesOptions;
  /** As told. */
  #stale: ReadonlySet<string> = new Set();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: ListAgesOptions) {
    this.#options = options;
  }

  start(): void {
    this.look();
    this.#timer = setInterval(() => this.look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Tells what has become stale, and what is not any more. Also to be called when a configuration has come into force. */
  look(): void {
    const { configuration } = this.#options;
    const { lists } = configuration.policy;
    const stale = lists.filter((list) => isStale(list, configuration));
    for (const list of stale) if (!this.#stale.has(list.id)) this.#tell('list.stale', this.#describe(list));
    const ids = new Set(stale.map(({ id }) => id));
    for (const id of this.#stale) {
      if (ids.has(id)) continue;
      const isGone = !lists.some((list) => list.id === id);
      this.#tell('list.fresh', `the list "${id}" is ${isGone ? 'gone' : 'not stale any more'}`);
    }
    this.#stale = ids;
  }

  #describe({ id, file, maxAge }: CompiledList): string {
    const modified = this.#options.configuration.modifiedAt(file!)!;
    const age = `is of ${new Date(modified).toISOString()}, older than its maxAge of ${durationText(maxAge!)}`;
    const cure = isNewer(file!, modified) ? 'there is a newer one, which a reload takes' : 'fetch it anew, and reload';
    return `the list "${id}" is stale: ${file} ${age}: ${cure}; what is in force stays`;
  }

  #tell(code: 'list.stale' | 'list.fresh', detail: string): void {
    const { log, say } = this.#options;
    say(detail);
    log.write([{ kind: 'anomaly', time: Date.now() * 1000, flowId: 0, client: null, server: null, code, detail }]);
  }
}

/** Whether the content in force is of a file that was last written longer ago than the list allows. */
export function isStale({ file, maxAge }: CompiledList, configuration: Pick<LiveConfiguration, 'modifiedAt'>): boolean {
  const modified = file === null ? undefined : configuration.modifiedAt(file);
  return maxAge !== undefined && modified !== undefined && Date.now() - modified > maxAge;
}

function isNewer(file: string, modifiedMs: number): boolean {
  const now = statSync(file, { throwIfNoEntry: false });
  return now !== undefined && now.mtimeMs > modifiedMs;
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

/** How late it may be noticed. */
const INTERVAL_MS = 30_000;
