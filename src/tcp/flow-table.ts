/**
 * From a flow's key to what is known of the flow: open addressing with linear probing in typed arrays, deletion by
 * backward shift, so look-ups allocate nothing. Slots are only numbers of entries, which lie close together: a slot that
 * is empty, as a third of them are at least, costs four octets. Words that only addresses of IPv6 have lie apart, from the
 * first such flow on. Bounded by the capacity it is made with. Knows nothing of what it holds.
 */
import { latin1Of } from '../bytes/latin1.ts';
import { type FlowKey, isWide, KEY_WORDS } from './flow-key.ts';

export class FlowTable<T> {
  readonly #capacity: number;
  /** Slots for each value that a hash can have. */
  readonly #scale: number;
  /** The number of the entry, counted from 1; 0: empty. */
  readonly #slots: Int32Array;
  /** Of the words of a key those that any has. */
  readonly #narrow: Uint32Array;
  /** The others; undefined while no key has any. */
  #wide: Uint32Array | undefined;
  /** Of an entry that is free, the next that is. */
  readonly #hashes: Uint32Array;
  readonly #values: (T | undefined)[];
  #count = 0;
  /** Entries that were ever taken. */
  #taken = 0;
  /** The first of those that are free again; 0: none. */
  #free = 0;

  /** Holds up to `capacity` flows, at most two thirds full. */
  constructor(capacity: number) {
    const slots = Math.max(16, Math.ceil(capacity * 1.5));
    this.#capacity = capacity;
    this.#scale = slots / 2 ** 32;
    this.#slots = new Int32Array(slots);
    this.#narrow = new Uint32Array((capacity + 1) * NARROW.length);
    this.#hashes = new Uint32Array(capacity + 1);
    this.#values = new Array<T | undefined>(capacity + 1).fill(undefined);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= this.#capacity;
  }

  find(key: FlowKey): T | undefined {
    return this.#values[this.#slots[this.#slot(key.words, key.hash)]!];
  }

  /** Adds or replaces. The number of its entry, for as long as it is here; 0 when the table is full. */
  set(key: FlowKey, value: T): number {
    const slot = this.#slot(key.words, key.hash);
    if (this.#slots[slot] === 0) {
      if (this.full) return 0;
      const entry = this.#take();
      this.#slots[slot] = entry;
      this.#hashes[entry] = key.hash;
      this.#keep(entry, key.words);
    }
    const entry = this.#slots[slot]!;
    this.#values[entry] = value;
    return entry;
  }

  /** What has that number now. */
  at(entry: number): T | undefined {
    return this.#values[entry];
  }

  delete(key: Pick<FlowKey, 'words' | 'hash'>): void {
    this.#empty(this.#slot(key.words, key.hash));
  }

  /** What has that number now, of which there has to be something. */
  deleteAt(entry: number): void {
    this.#empty(this.#slotOf(entry));
  }

  /** Deletes what `isOver`; looks at every entry. */
  sweep(isOver: (value: T) => boolean): void {
    for (let entry = 1; entry <= this.#taken; entry++) {
      const value = this.#values[entry];
      if (value !== undefined && isOver(value)) this.#empty(this.#slotOf(entry));
    }
  }

  /** Every flow with its key, a character for each octet, which FlowKey.restore takes too; the table is not to be changed meanwhile. */
  *entries(): Iterable<readonly [string, T]> {
    const words = new Uint32Array(KEY_WORDS);
    const octets = new Uint8Array(words.buffer);
    for (let entry = 1; entry <= this.#taken; entry++) {
      const value = this.#values[entry];
      if (value === undefined) continue;
      NARROW.forEach((word, i) => (words[word] = this.#narrow[entry * NARROW.length + i]!));
      WIDE.forEach((word, i) => (words[word] = this.#wide?.[entry * WIDE.length + i] ?? 0));
      yield [latin1Of(octets), value];
    }
  }

  #take(): number {
    this.#count++;
    const entry = this.#free;
    if (entry === 0) return ++this.#taken;
    this.#free = this.#hashes[entry]!;
    return entry;
  }

  #empty(slot: number): void {
    const entry = this.#slots[slot]!;
    if (entry === 0) return;
    this.#count--;
    this.#values[entry] = undefined;
    this.#hashes[entry] = this.#free;
    this.#free = entry;
    let hole = slot;
    for (let at = this.#next(hole); this.#slots[at] !== 0; at = this.#next(at)) {
      // What lies between the hole and its home may not move in front of its home.
      if (this.#distance(this.#home(this.#hashes[this.#slots[at]!]!), at) < this.#distance(hole, at)) continue;
      this.#slots[hole] = this.#slots[at]!;
      hole = at;
    }
    this.#slots[hole] = 0;
  }

  /** The slot that leads to the key, or the empty one where it belongs. */
  #slot(words: Uint32Array, hash: number): number {
    for (let slot = this.#home(hash); ; slot = this.#next(slot)) {
      const entry = this.#slots[slot]!;
      if (entry === 0 || (this.#hashes[entry] === hash && this.#sameKey(entry, words))) return slot;
    }
  }

  #slotOf(entry: number): number {
    let slot = this.#home(this.#hashes[entry]!);
    while (this.#slots[slot] !== entry) slot = this.#next(slot);
    return slot;
  }

  #home(hash: number): number {
    return Math.floor(hash * this.#scale);
  }

  #next(slot: number): number {
    return slot + 1 === this.#slots.length ? 0 : slot + 1;
  }

  /** Steps from one slot on to another. */
  #distance(from: number, to: number): number {
    return to >= from ? to - from : to - from + this.#slots.length;
  }

  #keep(entry: number, words: Uint32Array): void {
    const narrow = entry * NARROW.length;
    for (let i = 0; i < NARROW.length; i++) this.#narrow[narrow + i] = words[NARROW[i]!]!;
    if (this.#wide === undefined && !isWide(words)) return;
    this.#wide ??= new Uint32Array((this.#capacity + 1) * WIDE.length);
    const wide = entry * WIDE.length;
    for (let i = 0; i < WIDE.length; i++) this.#wide[wide + i] = words[WIDE[i]!]!;
  }

  #sameKey(entry: number, words: Uint32Array): boolean {
    const narrow = entry * NARROW.length;
    for (let i = 0; i < NARROW.length; i++) if (this.#narrow[narrow + i] !== words[NARROW[i]!]) return false;
    if (this.#wide === undefined) return !isWide(words);
    const wide = entry * WIDE.length;
    for (let i = 0; i < WIDE.length; i++) if (this.#wide[wide + i] !== words[WIDE[i]!]) return false;
    return true;
  }
}

/** Of FlowKey.words: the first word of each address, or conntrack's id, and the ports. */
const NARROW = [0, 4, 8];
const WIDE = [1, 2, 3, 5, 6, 7];
