/**
 * The marks of packets that wait for their verdict, by packet id. Open addressing with linear probing in two typed
 * arrays: ids of one queue count upwards, so they hardly ever collide. Bounded by what the kernel lets wait.
 */
export class PacketMarks {
  readonly #ids: Uint32Array;
  readonly #marks: Uint32Array;
  readonly #mask: number;
  #size = 0;

  /** `capacity`: how many may wait at once. */
  constructor(capacity: number) {
    const slots = 2 ** Math.ceil(Math.log2(Math.max(2, capacity * 2)));
    this.#ids = new Uint32Array(slots);
    this.#marks = new Uint32Array(slots);
    this.#mask = slots - 1;
  }

  get size(): number {
    return this.#size;
  }

  /** False when it is full; the id is then not remembered. Id 0 is never given by the kernel and means an empty slot. */
  set(packetId: number, mark: number): boolean {
    if (this.#size > this.#mask >> 1) return false;
    let at = packetId & this.#mask;
    while (this.#ids[at] !== 0 && this.#ids[at] !== packetId) at = (at + 1) & this.#mask;
    if (this.#ids[at] === 0) this.#size++;
    this.#ids[at] = packetId;
    this.#marks[at] = mark;
    return true;
  }

  /** The mark, and forgets it; undefined when the id is not waiting. */
  take(packetId: number): number | undefined {
    let at = packetId & this.#mask;
    while (this.#ids[at] !== packetId) {
      if (this.#ids[at] === 0) return undefined;
      at = (at + 1) & this.#mask;
    }
    const mark = this.#marks[at]!;
    this.#close(at);
    this.#size--;
    return mark;
  }

  /** Moves later entries of the probe sequence into the gap, so that no tombstones are needed. */
  #close(gap: number): void {
    let at = gap;
    for (;;) {
      at = (at + 1) & this.#mask;
      const id = this.#ids[at]!;
      if (id === 0) break;
      const home = id & this.#mask;
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue;
      this.#ids[gap] = id;
      this.#marks[gap] = this.#marks[at]!;
      gap = at;
    }
    this.#ids[gap] = 0;
  }
}
