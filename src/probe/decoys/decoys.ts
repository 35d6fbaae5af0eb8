/**
 * Which clients' connections have company, by their ends: from the client's SYN until its hello is asked about, or nothing
 * is. Where a client's answers from a server are remembered, or it asked nothing, most likely it asks nothing the next time,
 * and has none. Knows neither questions nor answers.
 */
import { LRUCache } from 'lru-cache';

import type { ProbeEnds } from '../../judge/ports.ts';
import type { ProbePolicy } from '../../pins/policy.ts';
import { addressText, isLocal } from '../address.ts';
import type { ProbeBudget } from '../allowance/budget.ts';
import { clientGroup } from '../client-group.ts';
import { Company } from './company.ts';
import { Lag } from './lag.ts';
import type { converse, SocketMark } from '../connection.ts';
import type { Origins } from '../origin.ts';
import { destinationOf } from '../question.ts';

export interface DecoysParts {
  readonly budget: ProbeBudget;
  readonly origins: Origins;
  readonly converse: typeof converse;
  /** Destinations that are remembered. */
  readonly entries: number;
}

export class Decoys<Outcome extends { readonly kind: string }> {
  readonly #parts: DecoysParts;
  readonly #companies = new Map<string, Company<Outcome>>();
  /** When. */
  readonly #met: LRUCache<string, number>;
  readonly #lag = new Lag();
  /** Connections that wait for a question. */
  #waiting = 0;

  constructor(parts: DecoysParts) {
    this.#parts = parts;
    this.#met = new LRUCache({ max: parts.entries });
  }

  /** How many connections are begun. `go`: the client's SYN may leave; called once, and maybe before this returns. */
  begin(ends: ProbeEnds, settings: DecoySettings, nowMs: number, go: () => void): number {
    const { client, server } = ends;
    const { decoys: size, timeout, mark } = settings;
    const { budget, origins, converse } = this.#parts;
    const asker = { destination: destinationOf(server), client };
    const origin = this.#isWanted(ends, settings, nowMs) ? origins.of(ends, 'decoy') : undefined;
    if (origin === undefined || !budget.allows(asker, settings, nowMs)) {
      go();
      return 0;
    }
    const key = keyOf(ends);
    const charge = budget.count(asker, nowMs, size);
    const onUnasked = () => {
      this.meet(ends, nowMs);
      budget.lighten(charge);
      this.#forget(key);
    };
    const onShown = () => budget.lighten(charge);
    this.#waiting += size;
    const lag = this.#lag;
    this.#companies.set(
      key,
      new Company({ server, origin, mark, size, timeout, converse, lag, onUnasked, onShown }, go),
    );
    return size;
  }

  /** Whoever takes it asks it. */
  take(ends: ProbeEnds): Company<Outcome> | undefined {
    const key = keyOf(ends);
    const company = this.#companies.get(key);
    this.#forget(key);
    return company;
  }

  /** What is asked of it is known, or nothing is asked. */
  meet(ends: ProbeEnds, nowMs: number): void {
    this.#met.set(metKey(ends), nowMs);
  }

  close(): void {
    for (const company of [...this.#companies.values()]) company.end();
  }

  #isWanted(ends: ProbeEnds, { decoys, ttl, atOnce, allowLocal }: DecoySettings, nowMs: number): boolean {
    const { server } = ends;
    if (decoys === 0 || (!allowLocal && isLocal(server.address)) || this.#companies.has(keyOf(ends))) return false;
    const isMet = (this.#met.get(metKey(ends)) ?? -Infinity) > nowMs - ttl;
    return !isMet && this.#waiting + decoys <= atOnce * COMPANIES;
  }

  #forget(key: string): void {
    this.#waiting -= this.#companies.get(key)?.size ?? 0;
    this.#companies.delete(key);
  }
}

interface DecoySettings extends Omit<ProbePolicy, 'mark'> {
  readonly mark: SocketMark | undefined;
}

function keyOf({ client, server }: ProbeEnds): string {
  return `${addressText(client.address)} ${client.port} ${destinationOf(server)}`;
}

/** As what is remembered where probes have their clients' addresses. */
function metKey({ client, server }: ProbeEnds): string {
  return `${clientGroup(client.address)} ${destinationOf(server)}`;
}

/** Of the questions at once: how many connections may wait beside clients'. */
const COMPANIES = 4;
