/**
 * Promotions that count no more, by the policy in force: kept, and said, since nobody is to believe that a host is held
 * which is not.
 */
import { coversHost } from '../pins/match/learning.ts';
import type { CompiledPinset, Policy } from '../pins/policy.ts';
import type { LearnedHost } from './state.ts';

export class IdlePromotions {
  readonly #path: string;
  readonly #say: (line: string) => void;
  /** Promoted hosts: those that are held, and those that wait for a pinset that learns them. */
  #held: ReadonlySet<string> = new Set();
  #idle: ReadonlySet<string> = new Set();

  /** `path`: where they are kept. */
  constructor(path: string, say: (line: string) => void) {
    this.#path = path;
    this.#say = say;
  }

  /** `refined`: the policy's pinsets with what was learned in them. */
  look(
    hosts: Iterable<readonly [pinset: string, host: string, learned: LearnedHost]>,
    { pinsets }: Policy,
    refined: readonly CompiledPinset[],
  ): void {
    const held = new Set(
      refined.flatMap(({ name, learned }) => [...(learned?.keys() ?? [])].map((h) => `${name} ${h}`)),
    );
    const idle = new Set<string>();
    for (const [name, host, { promoted }] of hosts) {
      const id = `${name} ${host}`;
      if (promoted === null || held.has(id)) continue;
      idle.add(id);
      if (this.#idle.has(id)) continue;
      const pinset = pinsets.find((each) => each.name === name);
      const why = whyIdle(name, pinset, host);
      const since = this.#held.has(id) ? 'is held no more' : 'is not held';
      this.#say(`${host} ${since} to the keys that were learned of it: ${why}; ${this.#path} keeps them`);
    }
    this.#held = held;
    this.#idle = idle;
  }
}

function whyIdle(name: string, pinset: CompiledPinset | undefined, host: string): string {
  if (pinset === undefined) return `there is no pinset "${name}"`;
  if (pinset.mode !== 'learn') return `the pinset "${name}" does not learn any more`;
  if (pinset.then !== 'enforce') return `the pinset "${name}" has no "then": "enforce"`;
  if (!coversHost(pinset.match, host)) return `the pinset "${name}" is not for it`;
  return 'its key signs for unrelated hosts';
}
