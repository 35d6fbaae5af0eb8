/**
 * Copies of stream octets in pages: written and compared by stream offset, released from the front. Memory grows with
 * the octets received, page by page, never with a length that somebody promised. Knows no sequence numbers.
 */
export class PagePool {
  readonly #free: Uint8Array[] = [];
  readonly #maxFree: number;
  #used = 0;

  constructor(maxFree = 1024) {
    this.#maxFree = maxFree;
  }

  /** Octets of memory in use: pages with what keeps account of them, and what was charged besides. */
  get used(): number {
    return this.#used;
  }

  /** So many octets more, or fewer, are in use by somebody who takes no pages for them. */
  charge(octets: number): void {
    this.#used += octets;
  }

  take(): Uint8Array {
    this.#used += PAGE_COST;
    return this.#free.pop() ?? new Uint8Array(PAGE_SIZE);
  }

  give(page: Uint8Array): void {
    this.#used -= PAGE_COST;
    if (this.#free.length < this.#maxFree) this.#free.push(page);
  }
}

export class Pages {
  readonly #pool: PagePool;
  /** Page number of `#pages[0]`. */
  #first = 0;
  #pages: (Uint8Array | undefined)[] = [];
  #count = 0;

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** Octets of memory in use, and with what keeps account of them. */
  get size(): number {
    return this.#count * PAGE_SIZE;
  }

  get cost(): number {
    return this.#count * PAGE_COST;
  }

  write(offset: number, bytes: Uint8Array, start: number, end: number): void {
    let at = start;
    while (at < end) {
      const where = offset + (at - start);
      const within = where % PAGE_SIZE;
      const length = Math.min(PAGE_SIZE - within, end - at);
      this.#page((where - within) / PAGE_SIZE).set(bytes.subarray(at, at + length), within);
      at += length;
    }
  }

  /** Whether the octets at `offset`, all present, are those of `bytes`. */
  equals(offset: number, bytes: Uint8Array, start: number, end: number): boolean {
    for (let at = start; at < end; at++) {
      const where = offset + (at - start);
      const within = where % PAGE_SIZE;
      if (this.#pages[(where - within) / PAGE_SIZE - this.#first]?.[within] !== bytes[at]) return false;
    }
    return true;
  }

  /** Hands the octets [from, to), all present, to `take` piece by piece; the pieces are valid only during the call. */
  read(from: number, to: number, take: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (let at = from; at < to;) {
      const within = at % PAGE_SIZE;
      const length = Math.min(PAGE_SIZE - within, to - at);
      const page = this.#pages[(at - within) / PAGE_SIZE - this.#first];
      if (page !== undefined) take(page, within, within + length);
      at += length;
    }
  }

  /** Gives back every page that lies wholly before `offset`. */
  releaseBefore(offset: number): void {
    const keepFrom = Math.floor(offset / PAGE_SIZE);
    const count = Math.min(keepFrom - this.#first, this.#pages.length);
    if (count > 0) {
      this.#giveBack(this.#pages.splice(0, count));
    }
    if (keepFrom > this.#first) this.#first = keepFrom;
  }

  releaseAll(): void {
    this.#first += this.#pages.length;
    this.#giveBack(this.#pages);
    this.#pages = [];
  }

  #giveBack(pages: readonly (Uint8Array | undefined)[]): void {
    for (const page of pages) {
      if (page === undefined) continue;
      this.#count--;
      this.#pool.give(page);
    }
  }

  #page(number: number): Uint8Array {
    const index = number - this.#first;
    while (this.#pages.length <= index) this.#pages.push(undefined);
    return (this.#pages[index] ??= this.#take());
  }

  #take(): Uint8Array {
    this.#count++;
    return this.#pool.take();
  }
}

export const PAGE_SIZE = 2048;
/** With its objects and the allocator's. */
export const PAGE_COST = PAGE_SIZE + 432;
