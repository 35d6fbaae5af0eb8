/** Keeps threads that read the same capture from running away from each other, and from who writes what they say. */
export class Pace {
  readonly shared: SharedArrayBuffer;
  /** Batches of each thread that were written. */
  readonly #written: Int32Array;

  constructor(threads: number | SharedArrayBuffer) {
    const length = typeof threads === 'number' ? threads * Int32Array.BYTES_PER_ELEMENT : 0;
    this.shared = typeof threads === 'number' ? new SharedArrayBuffer(length) : threads;
    this.#written = new Int32Array(this.shared);
  }

  /** A batch of the thread's was written. */
  onWritten(thread: number): void {
    Atomics.add(this.#written, thread, 1);
    Atomics.notify(this.#written, thread);
  }

  /** Blocks the calling thread, which has handed over `batches`, until enough of them are written. */
  wait(thread: number, batches: number): void {
    for (;;) {
      const written = Atomics.load(this.#written, thread);
      if (batches - written <= AHEAD) return;
      Atomics.wait(this.#written, thread, written);
    }
  }
}

/** Batches, which are of a chunk of the capture each. */
const AHEAD = 16;
