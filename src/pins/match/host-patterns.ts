/** Names of which many patterns speak: exact, `*.x` (one label more), `**.x` (any number of labels more, none included). */
export class HostPatterns {
  readonly #exact = new Set<string>();
  /** By what follows `*.`. */
  readonly #oneLabel = new Set<string>();
  /** By what follows `**.`. */
  readonly #anyLabels = new Set<string>();

  constructor(patterns: readonly string[]) {
    for (const pattern of patterns) {
      if (pattern.startsWith('**.')) this.#anyLabels.add(pattern.slice(3));
      else if (pattern.startsWith('*.')) this.#oneLabel.add(pattern.slice(2));
      else this.#exact.add(pattern);
    }
  }

  /** `name` is normal. */
  cover(name: string): boolean {
    if (this.#exact.has(name) || this.#oneLabel.has(parentOf(name))) return true;
    for (let suffix = name; suffix !== ''; suffix = parentOf(suffix)) if (this.#anyLabels.has(suffix)) return true;
    return false;
  }
}

/** What follows the first dot; empty when there is none. */
export function parentOf(name: string): string {
  const dot = name.indexOf('.');
  return dot < 0 ? '' : name.slice(dot + 1);
}
