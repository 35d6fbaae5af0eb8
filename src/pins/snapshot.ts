/**
 * A compiled configuration with the indexes that each packet thread builds of it: which pinsets, deny lists and rules
 * a flow falls under. Immutable: a reload makes another snapshot. Decides nothing.
 */
import { asLearned, mayEnforce, requires } from './learning.ts';
import { MatchIndex, normalName } from './match-index.ts';
import type { FlowSubject } from './match-index.ts';
import { prepare } from './match.ts';
import { PinIndex } from './pin-index.ts';
import type { CompiledPinset, CompiledRule, Policy } from './policy.ts';

export type { Endpoint, FlowSubject } from './match-index.ts';

export interface Selection {
  /** The address pinset, then the host pinset, or the fallback alone: all must pass. None to two. */
  readonly require: readonly CompiledPinset[];
  /** Deny lists that fit, in the order of the file. The required ones' own deny pins are not among them. */
  readonly deny: readonly CompiledPinset[];
  /** Rules that fit, in the order of the file. */
  readonly rules: readonly CompiledRule[];
}

export class PinsetSnapshot {
  readonly policy: Policy;
  /** What rules look their lists up in. */
  readonly lists: ReadonlyMap<string, PinIndex>;
  readonly #requiring: MatchIndex<CompiledPinset>;
  readonly #enforced: MatchIndex<CompiledPinset>;
  readonly #nameless: MatchIndex<CompiledPinset>;
  readonly #denying: MatchIndex<CompiledPinset>;
  readonly #rules: MatchIndex<CompiledRule>;

  constructor(policy: Policy) {
    this.policy = policy;
    const requiring = policy.pinsets.filter(requires);
    this.#requiring = new MatchIndex(requiring);
    this.#enforced = new MatchIndex(requiring.filter(mayEnforce));
    const isNameless = ({ match, situations }: CompiledPinset) => match.hosts.length > 0 && situations.noSni === 'deny';
    this.#nameless = new MatchIndex(requiring.filter(isNameless));
    this.#denying = new MatchIndex(policy.pinsets.filter((pinset) => !requires(pinset)));
    this.#rules = new MatchIndex(policy.rules);
    this.lists = new Map(policy.lists.map((list) => [list.id, new PinIndex(list.entries)]));
    for (const pinset of policy.pinsets) prepare(pinset);
  }

  /** Whether a host pinset, or the fallback, could be selected by a name that is not known yet. */
  couldHostPinsetApply(subject: FlowSubject): boolean {
    return this.#requiring.couldNameDecide(subject);
  }

  /** The same among pinsets that enforce: where only others could apply, a denial would be more than was asked for. */
  couldEnforcedHostPinsetApply(subject: FlowSubject): boolean {
    return this.#enforced.couldNameDecide(subject);
  }

  /** The host pinset, if any, on whose ports and clients a hello without a name is denied. */
  deniesWithoutName(subject: FlowSubject): CompiledPinset | undefined {
    return this.#nameless.whateverName(subject);
  }

  /** `serverName` is the effective name, null when the client gave none. */
  select(subject: FlowSubject, serverName: string | null): Selection {
    const name = serverName === null ? null : normalName(serverName);
    return {
      require: this.#require(subject, name).map((pinset) => asLearned(pinset, subject.server, name)),
      deny: this.#denying.all(subject, name),
      rules: this.#rules.all(subject, name),
    };
  }

  #require(subject: FlowSubject, name: string | null): CompiledPinset[] {
    const address = this.#requiring.byAddress(subject);
    const host = name === null ? undefined : this.#requiring.byHost(subject, name);
    const found = [address, host].filter((pinset) => pinset !== undefined);
    if (found.length > 0) return found;
    const fallback = this.#requiring.anywhere(subject);
    return fallback === undefined ? [] : [fallback];
  }
}
