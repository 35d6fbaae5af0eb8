/**
 * A compiled configuration with the indexes that each packet thread builds of it: which pinsets, deny lists and rules
 * a flow falls under. A reload makes another snapshot; where only entries of lists differ, that one takes over the
 * indexes and the tables, and this one has had its time. Decides nothing.
 */
import { asLearned, mayEnforce, requires } from './learning.ts';
import { MatchIndex, normalName } from './match-index.ts';
import type { FlowSubject } from './match-index.ts';
import { indexList, prepare } from './match.ts';
import type { PolicyChange } from './pack.ts';
import type { PinIndex } from './pin-index.ts';
import { changeTables, type PinTables } from './pin-table.ts';
import type { CompiledPinset, CompiledRule, Policy } from '../policy.ts';
import { asksAhead, isProbed } from '../probe.ts';
import { completed } from './reuse.ts';

export type { Endpoint, FlowSubject } from './match-index.ts';

export interface Selection {
  /** The address pinset, then the host pinset, or the fallback alone; then the same of another name: all must pass. */
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
  readonly #tables: PinTables;
  readonly #indexes: Indexes;

  /** `tables`: those that the policy names, if it was packed. */
  constructor(policy: Policy, tables: PinTables = new Map(), indexes?: Indexes) {
    this.policy = policy;
    this.#tables = tables;
    this.#indexes = indexes ?? indexesOf(policy, tables);
    this.lists = this.#indexes.lists;
  }

  /** What packet threads begin with. */
  static of({ policy, hash, tables }: PolicyChange): PinsetSnapshot {
    return new PinsetSnapshot({ ...completed(policy!, { pinsets: [] }), hash }, changeTables(new Map(), tables));
  }

  /** The snapshot after the change, in a time that does not depend on how much there is besides. */
  changed({ policy, hash, tables }: PolicyChange): PinsetSnapshot {
    const changed = changeTables(this.#tables, tables);
    if (policy !== null) return new PinsetSnapshot({ ...completed(policy, this.policy), hash }, changed);
    return new PinsetSnapshot({ ...this.policy, hash }, changed, this.#indexes);
  }

  /** Whether servers of pinned flows are expected there. */
  isServerPort(port: number): boolean {
    return this.policy.ports.some(([first, last]) => first <= port && port <= last);
  }

  /** Whether a host pinset, or the fallback, could be selected by a name that is not known yet. */
  couldHostPinsetApply(subject: FlowSubject): boolean {
    return this.#indexes.requiring.couldNameDecide(subject);
  }

  /** Whether a flow between these ends may lead to a probe as soon as its client has spoken, whatever name it says. */
  mayAskAhead(subject: FlowSubject): boolean {
    if (!this.#indexes.asksAhead) return false;
    return (
      isProbed(this.policy.unpinned) || this.couldHostPinsetApply(subject) || this.#require(subject, null).length > 0
    );
  }

  /** The same among pinsets that enforce: where only others could apply, a denial would be more than was asked for. */
  couldEnforcedHostPinsetApply(subject: FlowSubject): boolean {
    return this.#indexes.enforced.couldNameDecide(subject);
  }

  /** One of those that could; one that enforces where there is such a one. */
  hostPinsetAt(subject: FlowSubject): CompiledPinset | undefined {
    return this.#indexes.enforced.whateverName(subject) ?? this.#indexes.requiring.whateverName(subject);
  }

  /** The host pinset, if any, on whose ports and clients a hello without a name is denied. */
  deniesWithoutName(subject: FlowSubject): CompiledPinset | undefined {
    return this.#indexes.nameless.whateverName(subject);
  }

  /**
   * `serverName` is the effective name, null when the client gave none; `fronted` another one that the client gave
   * elsewhere: what either selects holds.
   */
  select(subject: FlowSubject, serverName: string | null, fronted: string | null = null): Selection {
    const selection = this.#select(subject, serverName);
    return fronted === null ? selection : union(selection, this.#select(subject, fronted));
  }

  #select(subject: FlowSubject, serverName: string | null): Selection {
    const name = serverName === null ? null : normalName(serverName);
    return {
      require: this.#require(subject, name).map((pinset) => asLearned(pinset, subject.server, name)),
      deny: this.#indexes.denying.all(subject, name),
      rules: this.#indexes.rules.all(subject, name),
    };
  }

  #require(subject: FlowSubject, name: string | null): CompiledPinset[] {
    const { requiring } = this.#indexes;
    const address = requiring.byAddress(subject);
    const host = name === null ? undefined : requiring.byHost(subject, name);
    const found = [address, host].filter((pinset) => pinset !== undefined);
    if (found.length > 0) return found;
    const fallback = requiring.anywhere(subject);
    return fallback === undefined ? [] : [fallback];
  }
}

function union(a: Selection, b: Selection): Selection {
  const others = <T extends { readonly index: number }>(known: readonly T[], more: readonly T[]) =>
    more.filter(({ index }) => !known.some((each) => each.index === index));
  return {
    require: [...a.require, ...others(a.require, b.require)],
    deny: [...a.deny, ...others(a.deny, b.deny)].sort((x, y) => x.index - y.index),
    rules: [...a.rules, ...others(a.rules, b.rules)].sort((x, y) => x.index - y.index),
  };
}

interface Indexes {
  /** Whether any flow may lead to a probe as soon as its client has spoken. */
  readonly asksAhead: boolean;
  readonly requiring: MatchIndex<CompiledPinset>;
  readonly enforced: MatchIndex<CompiledPinset>;
  readonly nameless: MatchIndex<CompiledPinset>;
  readonly denying: MatchIndex<CompiledPinset>;
  readonly rules: MatchIndex<CompiledRule>;
  readonly lists: ReadonlyMap<string, PinIndex>;
}

function indexesOf(policy: Policy, tables: PinTables): Indexes {
  const requiring = policy.pinsets.filter(requires);
  const isNameless = ({ match, situations }: CompiledPinset) => match.hosts.length > 0 && situations.noSni === 'deny';
  for (const pinset of policy.pinsets) prepare(pinset, tables);
  return {
    asksAhead: asksAhead(policy),
    requiring: new MatchIndex(requiring),
    enforced: new MatchIndex(requiring.filter(mayEnforce)),
    nameless: new MatchIndex(requiring.filter(isNameless)),
    denying: new MatchIndex(policy.pinsets.filter((pinset) => !requires(pinset))),
    rules: new MatchIndex(policy.rules),
    lists: new Map(policy.lists.map((list) => [list.id, indexList(list, tables)])),
  };
}
