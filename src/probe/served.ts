/**
 * Whom answers from memory have served since a probe last bore them out: where the next one is shown another chain, theirs
 * are the connections that somebody else may have answered. Bounded, whoever asks. Knows no answers.
 */
import { LRUCache } from 'lru-cache';

import type { Endpoint } from '../judge/events.ts';

export interface ServedSince {
  /** The latest last. */
  readonly clients: readonly Endpoint[];
  /** How many besides, whose clients are not kept. */
  readonly others: number;
}

export class Served {
  readonly #since: LRUCache<string, ServedSince>;

  /** `questions`: how many are remembered; the one that was quiet longest is forgotten first. */
  constructor(questions: number) {
    this.#since = new LRUCache({ max: questions });
  }

  /** `times`: so often, of which `client` is the latest. */
  add(question: string, client: Endpoint, times = 1): void {
    const { clients, others } = this.#since.get(question) ?? NOBODY;
    const kept = [...clients, client].slice(-MOST_CLIENTS);
    this.#since.set(question, { clients: kept, others: others + times - 1 + clients.length + 1 - kept.length });
  }

  /** And begins anew. */
  take(question: string): ServedSince {
    const served = this.#since.get(question) ?? NOBODY;
    this.#since.delete(question);
    return served;
  }
}

export const NOBODY: ServedSince = { clients: [], others: 0 };
const MOST_CLIENTS = 32;
