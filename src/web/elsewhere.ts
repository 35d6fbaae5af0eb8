/**
 * What other gateways of a fleet have decided about one host, by gateway and key: whether they see the same certificate.
 * Made of their records, in their order. Bounded: whoever shows a key for each connection displaces what was seen longest ago.
 */
import { millisOf } from '../report/eve.ts';
import type { VerdictRecord } from '../report/schema.ts';
import { hostOf } from '../runtime/incident/inbox.ts';
import { pinOf } from '../runtime/incident/remedy.ts';

/** Of others than this gateway. Rejects with a sentence. */
export type AskFleet = (host: string) => Promise<readonly SeenElsewhere[]>;

export interface SeenElsewhere {
  readonly gateway: string;
  /** As a pin spells it. */
  readonly key: string;
  /** Connections that were let pass, and those that were not. */
  readonly passed: number;
  readonly denied: number;
  readonly last: string;
}

export class Elsewhere {
  readonly #host: string;
  readonly #own: string;
  readonly #most: number;
  readonly #seen = new Map<string, SeenElsewhere>();

  /** `own`: the gateway that is not another one. */
  constructor(host: string, own: string, most = MOST) {
    this.#host = host;
    this.#own = own;
    this.#most = most;
  }

  /** The latest first. */
  get seen(): readonly SeenElsewhere[] {
    return [...this.#seen.values()].reverse();
  }

  take(record: VerdictRecord, gateway: string): void {
    const leaf = record.tls?.certificates[0];
    const key = leaf === undefined ? null : pinOf(leaf);
    if (key === null || gateway === this.#own || hostOf(record) !== this.#host) return;
    const id = `${gateway} ${key}`;
    const { passed = 0, denied = 0 } = this.#seen.get(id) ?? {};
    const { action, packets: count = 1 } = record.verdict;
    const isPassed = action === 'accept';
    this.#seen.delete(id);
    this.#seen.set(id, {
      ...{ gateway, key, last: new Date(millisOf(record.timestamp)).toISOString() },
      ...{ passed: passed + (isPassed ? count : 0), denied: denied + (isPassed ? 0 : count) },
    });
    if (this.#seen.size > this.#most) this.#seen.delete(this.#seen.keys().next().value!);
  }
}

const MOST = 50;
