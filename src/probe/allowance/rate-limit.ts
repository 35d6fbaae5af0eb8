/**
 * What happened in the last minute, by weight, for each of a bounded number of keys. Asking and counting take the same time
 * however much did: a busy server's minute has a thousand events. Weights are whole numbers, so that sums of them are exact.
 */
import { LRUCache } from 'lru-cache';

export class RateLimit {
  readonly #minutes: LRUCache<string, Minute>;

  /** `keys`: how many are remembered; the one that was quiet longest is forgotten first. */
  constructor(keys: number) {
    this.#minutes = new LRUCache({ max: keys });
  }

  /** The weight of the minute before now. */
  used(key: string, nowMs: number): number {
    return this.#minutes.get(key)?.used(nowMs) ?? 0;
  }

  count(key: string, nowMs: number, weight: number): Counted {
    let minute = this.#minutes.get(key);
    if (minute === undefined) this.#minutes.set(key, (minute = new Minute()));
    return minute.count(nowMs, weight);
  }
}

/** One event; it may turn out to weigh less. */
export interface Counted {
  weigh(weight: number): void;
}

class Minute {
  /** Oldest first. No more than are allowed in a minute, by whatever they weigh, and as many again that are over. */
  #events: Event[] = [];
  /** Of those that are not over yet. */
  #first = 0;
  #sum = 0;

  used(nowMs: number): number {
    for (let event = this.#events[this.#first]; event !== undefined; event = this.#events[++this.#first]) {
      if (event.atMs > nowMs - MINUTE_MS) break;
      this.#sum -= event.weight;
      event.isOver = true;
    }
    if (this.#first > this.#events.length / 2) {
      this.#events = this.#events.slice(this.#first);
      this.#first = 0;
    }
    return this.#sum;
  }

  count(nowMs: number, weight: number): Counted {
    this.used(nowMs);
    const event = new Event(nowMs, weight, (difference) => (this.#sum += difference));
    this.#events.push(event);
    this.#sum += weight;
    return event;
  }
}

class Event implements Counted {
  readonly atMs: number;
  readonly #onChange: (difference: number) => void;
  weight: number;
  isOver = false;

  constructor(atMs: number, weight: number, onChange: (difference: number) => void) {
    this.atMs = atMs;
    this.weight = weight;
    this.#onChange = onChange;
  }

  weigh(weight: number): void {
    if (!this.isOver) this.#onChange(weight - this.weight);
    this.weight = weight;
  }
}

const MINUTE_MS = 60_000;
