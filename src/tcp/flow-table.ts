/**
 * From a flow's key to what is known of the flow: open addressing with linear probing in typed arrays, deletion by
 * backward shift, so look-ups allocate nothing. Bounded by the capacity it is made with. Knows nothing of what it holds.
 */
import { type FlowKey, KEY_WORDS } from './flow-key.ts';

export class FlowTable<T> {
  readonly #capacity: number;
  readonly #mask: number;
  readonly #keys: Uint32Array;
  readonly #hashes: Uint32Array;
  readonly #values: (T | undefined)[];
  #count = 0;

  /** Holds up to `capacity` flows, at most half full. */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(16, capacity * 2)));
    this.#capacity = capacity;
    this.#mask = slots - 1;
    this.#keys = new Uint32Array(slots * KEY_WORDS);
    this.#hashes = new Uint32Array(slots);
    this.#values = new Array<T | undefined>(slots).fill(undefined);
  }

  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count >= this.#capacity;
  }

  find(key: FlowKey): T | undefined {
    return this.#values[this.#slot(key.words, key.hash)];
  }

  /** Adds or replaces. False when the table is full. */
  set(key: FlowKey, value: T): boolean {
    const slot = this.#slot(key.words, key.hash);
    if (this.#values[slot] === undefined) {
      if (this.full) return false;
      this.#count++;
      this.#keys.set(key.words, slot * KEY_WORDS);
      this.#hashes[slot] = key.hash;
    }
    this.#values[slot] = value;
    return true;
  }

  delete(key: Pick<FlowKey, 'words' | 'hash'>): void {
    this.#empty(this.#slot(key.words, key.hash));
  }

  /** Deletes what `isOver`; looks at every slot. */
  sweep(isOver: (value: T) => boolean): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      // Deletion moves what comes later into this slot.
      for (let value = this.#values[slot]; value !== undefined && isOver(value); value = this.#values[slot]) {
        this.#empty(slot);
      }
    }
  }

  #empty(slot: number): void {
    let hole = slot;
    if (this.#values[hole] === undefined) return;
    this.#count--;
    for (let at = (hole + 1) & this.#mask; this.#values[at] !== undefined; at = (at + 1) & this.#mask) {
      const home = this.#hashes[at]! & this.#mask;
      // What lies between the hole and its home may not move in front of its home.
      if (((at - home) & this.#mask) < ((at - hole) & this.#mask)) continue;
      this.#values[hole] = this.#values[at];
      this.#hashes[hole] = this.#hashes[at]!;
      this.#keys.copyWithin(hole * KEY_WORDS, at * KEY_WORDS, (at + 1) * KEY_WORDS);
      hole = at;
    }
    this.#values[hole] = undefined;
  }

  /** The slot that holds the key, or the empty one where it belongs. */
  #slot(words: Uint32Array, hash: number): number {
    for (let slot = hash & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#values[slot] === undefined) return slot;
      if (this.#hashes[slot] === hash && this.#sameKey(slot, words)) return slot;
    }
  }

  #sameKey(slot: number, words: Uint32Array): boolean {
    const base = slot * KEY_WORDS;
    for (let i = 0; i < KEY_WORDS; i++) if (this.#keys[base + i] !== words[i]) return false;
    return true;
  }
}
