/**
 * Lines of several threads in the one order that a single thread gives them: by stage, then by the flow's first frame.
 * A line goes once every thread has told all that comes before it.
 */
import type { LineBatch } from './messages.ts';

export interface MergeOptions {
  readonly threads: number;
  /** Octets `start` to `end` of `text`, whole lines, are next. */
  readonly write: (text: Uint8Array, start: number, end: number) => void;
  /** A batch of that thread's is written whole. */
  readonly onWritten: (thread: number) => void;
}

export class LineMerge {
  readonly #options: MergeOptions;
  readonly #threads: Told[];

  constructor(options: MergeOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.threads }, (_, thread) => new Told(thread));
  }

  add(thread: number, batch: LineBatch): void {
    const told = this.#threads[thread]!;
    told.batches.push(batch);
    told.until = batch.until;
    this.#advance(Math.min(...this.#threads.map(({ until }) => until)));
  }

  /** Writes what comes before `until`. */
  #advance(until: number): void {
    for (const told of this.#threads) this.#passWritten(told, until);
    for (;;) {
      let next: Told | undefined;
      for (const told of this.#threads) {
        if (told.stage < until && (next === undefined || told.comesBefore(next))) next = told;
      }
      if (next === undefined) return;
      const { text, ends } = next.batches[0]!;
      const { line } = next;
      this.#options.write(text, line === 0 ? 0 : ends[line - 1]!, ends[line]!);
      next.line++;
      if (next.isWritten) this.#passWritten(next, until);
    }
  }

  #passWritten(told: Told, until: number): void {
    while (told.batches.length > 0 && told.isWritten && told.batches[0]!.until <= until) {
      told.batches.shift();
      told.line = 0;
      this.#options.onWritten(told.thread);
    }
  }
}

/** What one thread has told and what of it is next. */
class Told {
  readonly thread: number;
  readonly batches: LineBatch[] = [];
  line = 0;
  until = -1;

  constructor(thread: number) {
    this.thread = thread;
  }

  get isWritten(): boolean {
    return this.line === this.batches[0]!.ends.length;
  }

  /** Of the next line; Infinity where there is none. */
  get stage(): number {
    return this.batches[0]?.stages[this.line] ?? Infinity;
  }

  comesBefore(other: Told): boolean {
    const { stage } = this;
    return stage < other.stage || (stage === other.stage && this.#frame < other.#frame);
  }

  get #frame(): number {
    return this.batches[0]!.frames[this.line]!;
  }
}
