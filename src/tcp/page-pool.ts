/**
 * Copies of stream octets in pages: written and compared by stream offset, released from the front. Memory grows with
 * the octets received, page by page, never with a length that somebody promised. Knows no sequence numbers.
 */
export class PagePool {
  readonly #free: Uint8Array[] = [];
  readonly #maxFree: number;

  constructor(maxFree = 1024) {
    this.#maxFree = maxFree;
  }

  take(): Uint8Array {
    return this.#free.pop() ?? new Uint8Array(PAGE_SIZE);
  }

  give(page: Uint8Array): void {
    if (this.#free.length < this.#maxFree) this.#free.push(page);
  }
}

export class Pages {
  readonly #pool: PagePool;
  /** Page number of `#pages[0]`. */
  #first = 0;
  #pages: (Uint8Array | undefined)[] = [];

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** Octets of memory in use. */
  get size(): number {
    let pages = 0;
    for (const page of this.#pages) if (page !== undefined) pages++;
    return pages * PAGE_SIZE;
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
      for (const page of this.#pages.splice(0, count)) if (page !== undefined) this.#pool.give(page);
    }
    if (keepFrom > this.#first) this.#first = keepFrom;
  }

  releaseAll(): void {
    this.#first += this.#pages.length;
    for (const page of this.#pages) if (page !== undefined) this.#pool.give(page);
    this.#pages = [];
  }

  #page(number: number): Uint8Array {
    const index = number - this.#first;
    while (this.#pages.length <= index) this.#pages.push(undefined);
    return (this.#pages[index] ??= this.#pool.take());
  }
}

export const PAGE_SIZE = 2048;
