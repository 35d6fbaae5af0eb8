/** Entries of lists, as canonical spellings: which there are, and which of those that were added are to be kept. Pure. */
import type { AddedEntries } from '../../pins/load.ts';
import type { CompiledPin, Policy } from '../../pins/policy.ts';

export function entriesOf(policy: Policy, id: string): readonly CompiledPin[] {
  return policy.lists.find((list) => list.id === id)?.entries ?? [];
}

/** Those of the wanted ones that are among the entries, however many entries there are. */
export function presentIn(entries: readonly CompiledPin[], wanted: readonly string[]): Set<string> {
  const missing = new Set(wanted);
  if (missing.size > 0) for (const { canonical } of entries) missing.delete(canonical);
  return new Set(wanted.filter((entry) => !missing.has(entry)));
}

/** Lists that are gone, or have a file now, keep nothing of what was added. */
export function withoutStrangers(added: AddedEntries, { lists }: Policy): AddedEntries {
  const kept = lists.filter(({ writable, file }) => writable && file === null).map(({ id }) => id);
  return new Map([...added].filter(([id]) => kept.includes(id)));
}
