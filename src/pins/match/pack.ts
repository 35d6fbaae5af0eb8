/**
 * A policy for packet threads: the entries of lists that are digests leave it and go into tables, so that a policy is
 * handed over, and a list's change takes effect, in a time that does not depend on how long the lists are; and of pinsets
 * threads are told those that differ. Works in the control plane; what a thread does with it is snapshot.ts, reuse.ts and
 * pin-table.ts.
 *
 *   list 0: [a, b, c]   pinset: deny @0   ──▶   table "0 cert-sha1 at any": {a, b, c}   pinset: deny that table
 *   list 0: [a, c, d]                     ──▶   edit of that table: add d, remove b
 */
import { isDeepStrictEqual } from 'node:util';

import { DigestTable } from './digest-table.ts';
import { DIGEST_OCTETS, type PinTerms, type TableChange } from './pin-table.ts';
import type { CompiledPin, CompiledPinset, Policy } from '../policy.ts';
import { differenceOfSequences } from './sequence-difference.ts';

/** What a packet thread is told when the policy changes, and at the start. Plain data. */
export interface PolicyChange {
  readonly hash: string;
  /** Null: as it was, but for its hash and the entries of its lists. */
  readonly policy: ToldPolicy | null;
  readonly tables: readonly TableChange[];
}

/** A policy without those of its pinsets, null, that are as they were at the same place of the one before it. */
export interface ToldPolicy extends Omit<Policy, 'pinsets'> {
  readonly pinsets: readonly (CompiledPinset | null)[];
}

/** What packet threads have, and what of it a change is to be told from. */
export interface PackedPolicy {
  readonly policy: Policy;
  readonly tables: ReadonlyMap<string, PackedTable>;
}

interface PackedTable {
  readonly terms: PinTerms;
  readonly pins: readonly CompiledPin[];
  /** As it was last built. */
  readonly base: DigestTable;
  /** Entries added and removed since. */
  readonly edits: number;
}

/** A thread that knows `before` has `packed` after `change`; one that knows nothing begins with it. */
export function packPolicy(policy: Policy, before?: PackedPolicy): { packed: PackedPolicy; change: PolicyChange } {
  const parting = new Parting();
  const slim: Policy = {
    ...policy,
    hash: '',
    lists: policy.lists.map((list) => {
      const { written, tables } = parting.part(list.entries);
      return { ...list, entries: written, listed: tables };
    }),
    pinsets: policy.pinsets.map((pinset, at) => sameOr(parting.partPinset(pinset), before?.policy.pinsets[at])),
  };
  const tables = new Map<string, PackedTable>();
  const changes: TableChange[] = [];
  for (const [table, { terms, pins }] of parting.tables) {
    const { packed, change } = packTable(table, terms, pins, before?.tables.get(table));
    tables.set(table, packed);
    if (change !== undefined) changes.push(change);
  }
  for (const table of before?.tables.keys() ?? []) if (!tables.has(table)) changes.push({ table, kind: 'drop' });
  const isSame = before !== undefined && isDeepStrictEqual(before.policy, slim);
  return {
    packed: { policy: slim, tables },
    change: { hash: policy.hash, policy: isSame ? null : toldBehind(slim, before?.policy), tables: changes },
  };
}

function sameOr(pinset: CompiledPinset, before: CompiledPinset | undefined): CompiledPinset {
  return before !== undefined && isDeepStrictEqual(pinset, before) ? before : pinset;
}

function toldBehind(policy: Policy, before: Policy | undefined): ToldPolicy {
  return {
    ...policy,
    pinsets: policy.pinsets.map((pinset, at) => (pinset === before?.pinsets[at] ? null : pinset)),
  };
}

/** Takes the entries of lists out of policies and puts those together that are used on the same terms. */
class Parting {
  readonly tables = new Map<string, { readonly terms: PinTerms; readonly pins: CompiledPin[] }>();

  partPinset(pinset: CompiledPinset): CompiledPinset {
    const pins = this.part(pinset.pins);
    const deny = this.part(pinset.deny);
    const learned = pinset.learned && new Map([...pinset.learned].map(([host, each]) => [host, this.partPinset(each)]));
    if (pins.tables.length + deny.tables.length === 0 && learned === undefined) return pinset;
    const listed = { pins: pins.tables, deny: deny.tables };
    return { ...pinset, pins: pins.written, deny: deny.written, listed, ...(learned && { learned }) };
  }

  part(pins: readonly CompiledPin[]): { written: CompiledPin[]; tables: string[] } {
    const written: CompiledPin[] = [];
    const own = new Map<string, { readonly terms: PinTerms; readonly pins: CompiledPin[] }>();
    let last: { readonly terms: PinTerms; readonly pins: CompiledPin[] } | undefined;
    for (const pin of pins) {
      if (!isTabular(pin)) {
        written.push(pin);
        continue;
      }
      if (last === undefined || !isOnTerms(pin, last.terms)) {
        const name = tableName(pin);
        last = own.get(name) ?? { terms: termsOf(pin), pins: [] };
        own.set(name, last);
      }
      last.pins.push(pin);
    }
    // Whoever uses a list uses all of it: what another pinset has on the same terms is the same.
    for (const [name, table] of own) if (!this.tables.has(name)) this.tables.set(name, table);
    return { written, tables: [...own.keys()] };
  }
}

function packTable(table: string, terms: PinTerms, pins: readonly CompiledPin[], before: PackedTable | undefined) {
  const { added: add, removed: remove } = differenceOfSequences(before?.pins ?? [], pins, ({ key }) => key);
  const edits = (before?.edits ?? 0) + add.length + remove.length;
  if (before === undefined || edits > MOST_EDITS) {
    const digests = pins.map(({ key }) => key);
    const base = DigestTable.build(DIGEST_OCTETS[terms.kind]!, digests, pins.length);
    const change: TableChange = { table, kind: 'build', terms, digests: base.data };
    return { packed: { terms, pins, base, edits: 0 }, change };
  }
  const change: TableChange | undefined = edits === before.edits ? undefined : { table, kind: 'edit', add, remove };
  return { packed: { ...before, pins, edits }, change };
}

function isTabular({ list, kind, key, der }: CompiledPin): boolean {
  const octets = DIGEST_OCTETS[kind];
  return list !== undefined && octets !== undefined && der === null && key.length === 2 * octets;
}

function isOnTerms(pin: CompiledPin, { list, kind, at, role, notBefore, expires }: PinTerms): boolean {
  return (
    pin.list === list &&
    pin.kind === kind &&
    pin.at === at &&
    pin.role === role &&
    pin.notBefore === notBefore &&
    pin.expires === expires
  );
}

function termsOf({ list, kind, at, role, notBefore, expires }: CompiledPin): PinTerms {
  return { list, kind, at, role, notBefore, expires };
}

function tableName({ list, kind, at, role, notBefore, expires }: CompiledPin): string {
  return `${list} ${kind} at ${at} ${role} ${notBefore} ${expires}`;
}

/**
 * Entries by which a thread's table may differ from what is shared: as many as are told, and applied, at a time. Beyond,
 * it is built anew, for all threads at once.
 */
const MOST_EDITS = 1_000;
