/**
 * What one examination may cost, counted in operations, so that it is the same on every machine. Whoever sends a chain
 * chooses how much there is to examine; beyond the budget nothing more is looked at, what was found holds, and what was
 * not found is `exhausted`. Knows no certificates.
 */
export type Operation = 'signatures' | 'comparisons';

export class Budget {
  readonly spent: Record<Operation, number> = { signatures: 0, comparisons: 0 };
  #exhausted: Operation | false = false;

  /** What there was not enough of. */
  get exhausted(): Operation | false {
    return this.#exhausted;
  }

  /** False where that is more than is left: then it is not to be done. */
  spend(operation: Operation, count: number): boolean {
    const total = this.spent[operation] + count;
    if (total > BUDGET[operation]) this.#exhausted ||= operation;
    else this.spent[operation] = total;
    return total <= BUDGET[operation];
  }
}

/** A signature takes as long as some thousand comparisons. */
export function costOf({ signatures, comparisons }: Budget['spent']): number {
  return 4_000 * signatures + comparisons;
}

export const BUDGET: Readonly<Record<Operation, number>> = {
  /** Verified. An honest chain needs one for each link, and one more for each cross-signature. */
  signatures: 48,
  /** Of a name with a name: a leaf for 2,000 hosts below an issuer with 100 constraints. */
  comparisons: 200_000,
};
