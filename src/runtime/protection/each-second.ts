/** Has what happens by the passing of time alone looked for: at once, and then each second. Knows nobody who looks. */
export interface Looker {
  look(): void;
}

export class EachSecond {
  readonly #lookers: readonly Looker[];
  #timer: NodeJS.Timeout | undefined;

  /** They look in this order. */
  constructor(...lookers: readonly Looker[]) {
    this.#lookers = lookers;
  }

  start(): void {
    this.#look();
    this.#timer = setInterval(() => this.#look(), INTERVAL_MS);
    this.#timer.unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    for (const looker of this.#lookers) looker.look();
  }
}

const INTERVAL_MS = 1_000;
