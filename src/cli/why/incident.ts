/**
 * An incident out of decisions, wherever they were read: those that somebody asks about, by cause, and whom the others
 * are about. Knows no sources.
 */
import { InvalidArgumentError } from 'commander';

import type { VerdictRecord } from '../../report/schema.ts';
import { type Cause, Causes, Tally } from '../../runtime/incident/causes.ts';
import { parseQuery, type Query } from '../../runtime/incident/query.ts';

export class Incident {
  readonly #query: Query;
  readonly #causes = new Causes();
  /** Of decisions about others, whom they are about. */
  readonly others = new Tally();

  constructor(query: Query) {
    this.#query = query;
  }

  /** As it was asked for. */
  get subject(): string {
    return this.#query.text;
  }

  /** What was denied first. */
  get causes(): readonly Cause[] {
    return this.#causes.sorted;
  }

  /** `gateway`: which one of a fleet has decided. */
  take(record: VerdictRecord, gateway?: string): void {
    if (this.#query.fits(record)) this.#causes.add(record, gateway);
    else this.others.add(record.tls?.sni ?? record.dest_ip, 1);
  }
}

export function queryOf(text: string): Query {
  const query = parseQuery(text);
  if (query === undefined) throw new InvalidArgumentError('expected a name or an address.');
  return query;
}
