/** So many events in any minute for each of a bounded number of keys. */
import { LRUCache } from 'lru-cache';

export class RateLimit {
  readonly #perMinute: number;
  /** Milliseconds of the latest events, oldest first; at most `perMinute` of them. */
  readonly #times: LRUCache<string, number[]>;

  /** `keys`: how many are remembered; the one that was quiet longest is forgotten first. */
  constructor(perMinute: number, keys: number) {
    this.#perMinute = perMinute;
    this.#times = new LRUCache({ max: keys });
  }

  /** Whether one more may happen now; of what can wait, only while less than `share` of the limit is used. */
  allows(key: string, nowMs: number, share = 1): boolean {
    return this.#recent(key, nowMs).length < this.#perMinute * share;
  }

  count(key: string, nowMs: number): void {
    this.#times.set(key, [...this.#recent(key, nowMs), nowMs]);
  }

  #recent(key: string, nowMs: number): number[] {
    return (this.#times.get(key) ?? []).filter((time) => time > nowMs - MINUTE_MS);
  }
}

const MINUTE_MS = 60_000;
