/** What happened in the last minute, by weight, for each of a bounded number of keys. */
import { LRUCache } from 'lru-cache';

/** One event; it may turn out to weigh less. */
export interface Counted {
  readonly atMs: number;
  weight: number;
}

export class RateLimit {
  /** Oldest first. No more than are allowed in a minute, by whatever they weigh. */
  readonly #events: LRUCache<string, Counted[]>;

  /** `keys`: how many are remembered; the one that was quiet longest is forgotten first. */
  constructor(keys: number) {
    this.#events = new LRUCache({ max: keys });
  }

  /** The weight of the minute before now. */
  used(key: string, nowMs: number): number {
    return this.#recent(key, nowMs).reduce((sum, { weight }) => sum + weight, 0);
  }

  count(key: string, nowMs: number, weight: number): Counted {
    const event = { atMs: nowMs, weight };
    this.#events.set(key, [...this.#recent(key, nowMs), event]);
    return event;
  }

  #recent(key: string, nowMs: number): Counted[] {
    return (this.#events.get(key) ?? []).filter(({ atMs }) => atMs > nowMs - MINUTE_MS);
  }
}

const MINUTE_MS = 60_000;
