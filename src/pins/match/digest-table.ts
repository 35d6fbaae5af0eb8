/**
 * Digests of one size in shared memory: an open-addressed table with linear probing that is built once and never written
 * again, so that a thread is handed however many of them as one reference. Knows digests and no pins.
 *
 *   Uint32  seed │ isTaken[capacity] │ digest[capacity], each of octets / 4 words
 *
 * Where a digest belongs depends on the seed, so that whoever can have digests listed cannot make them crowd together.
 */
import { randomBytes } from 'node:crypto';

/** Survives `postMessage`; the memory stays where it is. */
export interface DigestTableData {
  /** Of a digest: a multiple of 4. */
  readonly octets: number;
  /** A power of two, above `count`. */
  readonly capacity: number;
  readonly count: number;
  readonly memory: SharedArrayBuffer;
}

export class DigestTable {
  readonly data: DigestTableData;
  readonly #seed: number;
  readonly #taken: Uint32Array;
  readonly #words: Uint32Array;
  readonly #wanted: Uint32Array;
  readonly #wantedOctets: Buffer;

  /** Of what `build` has made, in whatever thread. */
  constructor(data: DigestTableData) {
    this.data = data;
    const { memory, capacity, octets } = data;
    this.#seed = new Uint32Array(memory, 0, 1)[0]!;
    this.#taken = new Uint32Array(memory, SEED_OCTETS, capacity);
    this.#words = new Uint32Array(memory, SEED_OCTETS + capacity * 4, (capacity * octets) / 4);
    const wanted = new ArrayBuffer(octets);
    this.#wanted = new Uint32Array(wanted);
    this.#wantedOctets = Buffer.from(wanted);
  }

  /** `digests`: hexadecimal of `octets` each; what is there twice counts once. */
  static build(octets: number, digests: Iterable<string>, atMost: number): DigestTable {
    let capacity = LEAST_CAPACITY;
    while (capacity * FULLEST < atMost) capacity *= 2;
    const memory = new SharedArrayBuffer(SEED_OCTETS + capacity * (4 + octets));
    new Uint32Array(memory, 0, 1)[0] = randomBytes(4).readUInt32LE();
    const table = new DigestTable({ octets, capacity, count: 0, memory });
    let count = 0;
    for (const digest of digests) if (table.#insert(digest)) count++;
    return new DigestTable({ octets, capacity, count, memory });
  }

  /** `digest`: hexadecimal in lower case; of another size it is in no table. */
  has(digest: string): boolean {
    if (digest.length !== 2 * this.data.octets) return false;
    return this.#taken[this.#slotOf(digest)] === 1;
  }

  #insert(digest: string): boolean {
    const slot = this.#slotOf(digest);
    if (this.#taken[slot] === 1) return false;
    this.#taken[slot] = 1;
    this.#words.set(this.#wanted, slot * this.#wanted.length);
    return true;
  }

  /** Where it is, or where it would be. There is always a free slot, which ends the search. */
  #slotOf(digest: string): number {
    this.#wantedOctets.write(digest, 'hex');
    const mask = this.data.capacity - 1;
    let slot = this.#hash() & mask;
    while (this.#taken[slot] === 1 && !this.#isAt(slot)) slot = (slot + 1) & mask;
    return slot;
  }

  #isAt(slot: number): boolean {
    const { length } = this.#wanted;
    for (let i = 0, at = slot * length; i < length; i++, at++) {
      if (this.#words[at] !== this.#wanted[i]) return false;
    }
    return true;
  }

  /** Of all words: what is listed need not be a digest of anything. */
  #hash(): number {
    let hash = this.#seed;
    for (let i = 0; i < this.#wanted.length; i++) {
      hash = Math.imul(hash ^ this.#wanted[i]!, 0x9e37_79b1);
      hash ^= hash >>> 15;
    }
    return hash >>> 0;
  }
}

const SEED_OCTETS = 4;
const LEAST_CAPACITY = 16;
/** Share of the slots that may be taken: a digest that is not listed is found to be so after 5 slots. */
const FULLEST = 2 / 3;
