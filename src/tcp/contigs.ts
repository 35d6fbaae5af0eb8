/**
 * Which ranges of a stream are present ahead of the next expected octet: sorted, disjoint, never touching one another.
 * Bounded: an insertion that would need one range too many is refused and changes nothing (smoltcp's TooManyHoles).
 * Knows offsets, not bytes.
 */
export class Contigs {
  /** start, end, start, end, …; ends are exclusive. */
  readonly #edges: number[] = [];
  readonly #maxRanges: number;

  constructor(maxRanges: number) {
    this.#maxRanges = maxRanges;
  }

  get count(): number {
    return this.#edges.length / 2;
  }

  start(index: number): number {
    return this.#edges[index * 2]!;
  }

  end(index: number): number {
    return this.#edges[index * 2 + 1]!;
  }

  /** Adds [start, end), merging what it touches. False when that would make too many ranges. */
  add(start: number, end: number): boolean {
    const edges = this.#edges;
    let first = 0;
    while (first < edges.length && edges[first + 1]! < start) first += 2;
    let last = first;
    let mergedStart = start;
    let mergedEnd = end;
    while (last < edges.length && edges[last]! <= end) {
      mergedStart = Math.min(mergedStart, edges[last]!);
      mergedEnd = Math.max(mergedEnd, edges[last + 1]!);
      last += 2;
    }
    if (first === last && this.count >= this.#maxRanges) return false;
    edges.splice(first, last - first, mergedStart, mergedEnd);
    return true;
  }

  /** Takes away the range that begins at or before `next`, and answers where it ends; `next` when there is none. */
  take(next: number): number {
    let reached = next;
    while (this.#edges.length > 0 && this.#edges[0]! <= reached) {
      reached = Math.max(reached, this.#edges[1]!);
      this.#edges.splice(0, 2);
    }
    return reached;
  }
}
