/** So many events in any minute for each of a bounded number of keys. */
import { LRUCache } from 'lru-cache';

export class RateLimit {
  /** Milliseconds of the latest events, oldest first; no more than were allowed in a minute. */
  readonly #times: LRUCache<string, number[]>;

  /** `keys`: how many are remembered; the one that was quiet longest is forgotten first. */
  constructor(keys: number) {
    this.#times = new LRUCache({ max: keys });
  }

  /** Whether fewer than `perMinute` happened in the minute before now. */
  allows(key: string, perMinute: number, nowMs: number): boolean {
    return this.#recent(key, nowMs).length < perMinute;
  }

  count(key: string, nowMs: number): void {
    this.#times.set(key, [...this.#recent(key, nowMs), nowMs]);
  }

  #recent(key: string, nowMs: number): number[] {
    return (this.#times.get(key) ?? []).filter((time) => time > nowMs - MINUTE_MS);
  }
}

const MINUTE_MS = 60_000;
