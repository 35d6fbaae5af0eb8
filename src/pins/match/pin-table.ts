/**
 * The entries of a list that are digests of one kind, used on the same terms: as they were when the table was built,
 * which all packet threads share, and what was added and removed since, which each thread has applied itself. An entry
 * is added, removed and looked up in constant time. `pack.ts` makes tables; knows no pinsets.
 */
import { DigestTable, type DigestTableData } from './digest-table.ts';
import { isUsable } from './usable.ts';
import { spkiCanonical } from '../document/pin-string.ts';
import type { CompiledPin, PinKind } from '../policy.ts';

/** The kinds that tables hold, and the octets of their digests. */
export const DIGEST_OCTETS: Readonly<Partial<Record<PinKind, number>>> = {
  'cert-sha1': 20,
  'cert-sha256': 32,
  'spki-sha256': 32,
};

/** What all pins of a table have in common. */
export type PinTerms = Omit<CompiledPin, 'canonical' | 'key' | 'der'>;

/** What a thread is told of one table, by its name. Plain data. */
export type TableChange = { readonly table: string } & (
  | { readonly kind: 'build'; readonly terms: PinTerms; readonly digests: DigestTableData }
  /** Lower-case hex. */
  | { readonly kind: 'edit'; readonly add: readonly string[]; readonly remove: readonly string[] }
  | { readonly kind: 'drop' }
);

export type PinTables = ReadonlyMap<string, PinTable>;

export class PinTable {
  readonly terms: PinTerms;
  #base: DigestTable;
  readonly #added = new Set<string>();
  readonly #removed = new Set<string>();

  constructor(terms: PinTerms, base: DigestTable) {
    this.terms = terms;
    this.#base = base;
  }

  get kind(): PinKind {
    return this.terms.kind;
  }

  get size(): number {
    return this.#base.data.count - this.#removed.size + this.#added.size;
  }

  /** From the start again. */
  rebuild(base: DigestTable): void {
    this.#base = base;
    this.#added.clear();
    this.#removed.clear();
  }

  /** Lower-case hex; what is there already, and what is not there, stays so. */
  edit(add: readonly string[], remove: readonly string[]): void {
    for (const key of remove) {
      if (!this.#added.delete(key) && this.#base.has(key)) this.#removed.add(key);
    }
    for (const key of add) {
      if (!this.#removed.delete(key) && !this.#base.has(key)) this.#added.add(key);
    }
  }

  has(key: string): boolean {
    return this.#added.has(key) || (this.#base.has(key) && !this.#removed.has(key));
  }

  /** Whether at least one entry may be used at this time. */
  usableAt(nowMs: number): boolean {
    return this.size > 0 && isUsable(this.terms, nowMs);
  }

  /** The entry as a pin. */
  find(key: string): CompiledPin | undefined {
    if (!this.has(key)) return undefined;
    const canonical = this.kind === 'spki-sha256' ? spkiCanonical(key) : `${this.kind}:${key}`;
    return { ...this.terms, canonical, key, der: null };
  }
}

/** The tables after the changes. Tables are changed in place: what refers to one finds its entries of now. */
export function changeTables(tables: PinTables, changes: readonly TableChange[]): PinTables {
  const next = new Map(tables);
  for (const change of changes) {
    const known = next.get(change.table);
    switch (change.kind) {
      case 'build': {
        const base = new DigestTable(change.digests);
        if (known === undefined) next.set(change.table, new PinTable(change.terms, base));
        else known.rebuild(base);
        break;
      }
      case 'edit':
        known?.edit(change.add, change.remove);
        break;
      case 'drop':
        next.delete(change.table);
        break;
      default:
        change satisfies never;
    }
  }
  return next;
}
