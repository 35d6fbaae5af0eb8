/** The verdicts of the last day, as far as there is room for them: the oldest go first. */
import { millisOf } from '../report/eve.ts';
import type { VerdictRecord } from '../report/schema.ts';
import { isDenied } from '../runtime/incident/causes.ts';
import { parseQuery, type Query } from '../runtime/incident/query.ts';
import type { Verdict, VerdictQuery, Verdicts } from './api.ts';

export interface MemoryBounds {
  readonly verdicts: number;
  /** About. */
  readonly octets: number;
}

export class VerdictMemory {
  readonly #bounds: MemoryBounds;
  /** By number, in its order. */
  readonly #verdicts = new Map<number, Verdict>();
  /** When each pin let somebody pass last, by pinset and pin. */
  readonly #matched = new Map<string, string>();
  #octets = 0;
  #last = 0;

  constructor(bounds: MemoryBounds = BOUNDS) {
    this.#bounds = bounds;
  }

  /** With a number of its own: those of an engine begin anew with it. */
  add(record: VerdictRecord, queue: number): Verdict {
    const verdict = { ...record, queue, number: ++this.#last };
    this.#verdicts.set(verdict.number, verdict);
    this.#octets += octetsOf(verdict);
    this.#noteMatch(record);
    const dayAgo = millisOf(record.timestamp) - DAY_MS;
    for (const oldest of this.#verdicts.values()) {
      const isOver = this.#verdicts.size > this.#bounds.verdicts || this.#octets > this.#bounds.octets;
      if (!isOver && millisOf(oldest.timestamp) >= dayAgo) break;
      this.#verdicts.delete(oldest.number);
      this.#octets -= octetsOf(oldest);
    }
    return verdict;
  }

  /** Throws a sentence where it cannot be understood. */
  find(query: VerdictQuery): Verdicts {
    const limit = Math.min(numberOf(query.limit) ?? USUAL, MOST);
    const before = numberOf(query.before) ?? Infinity;
    const fits = filterOf(query);
    const verdicts: Verdict[] = [];
    let next: number | null = null;
    for (const verdict of [...this.#verdicts.values()].reverse()) {
      if (verdict.number >= before || !fits(verdict)) continue;
      if (verdicts.length === limit) {
        next = verdicts.at(-1)!.number;
        break;
      }
      verdicts.push(verdict);
    }
    return { verdicts, next, remembered: this.#verdicts.size };
  }

  /** The latest of it. */
  ofFlow(flow: number): Verdict | null {
    return [...this.#verdicts.values()].findLast(({ flow_id: id }) => id === flow) ?? null;
  }

  /** Null: not as far as is remembered. */
  matchedAt(pinset: string, pin: string): string | null {
    return this.#matched.get(`${pinset} ${pin}`) ?? null;
  }

  #noteMatch({ verdict, timestamp }: VerdictRecord): void {
    if (verdict.matched === null || verdict.action !== 'accept') return;
    const id = `${verdict.pinset} ${verdict.matched}`;
    this.#matched.delete(id);
    this.#matched.set(id, new Date(millisOf(timestamp)).toISOString());
    if (this.#matched.size > PINS) this.#matched.delete(this.#matched.keys().next().value!);
  }
}

function filterOf({ who, action, reason, pinset, denied }: VerdictQuery): (verdict: Verdict) => boolean {
  const query: Query | undefined = who === undefined || who === '' ? undefined : parseQuery(who);
  if (query === undefined && who !== undefined && who !== '') {
    throw new Error(`"${who.slice(0, 100)}" is no name, *.NAME, address or network`);
  }
  return (record) => {
    const { verdict } = record;
    return (
      (query === undefined || query.fits(record)) &&
      (action === undefined || verdict.action === action) &&
      (reason === undefined || verdict.reason === reason) &&
      (pinset === undefined || verdict.pinset === pinset || isAmong(verdict.others, pinset)) &&
      (denied !== 'true' || isDenied({ action: verdict.action, would: verdict.would ?? null }))
    );
  };
}

function isAmong(others: VerdictRecord['verdict']['others'], pinset: string): boolean {
  return others?.some((other) => other.pinset === pinset) ?? false;
}

function numberOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,15}$/.test(text)) throw new Error(`"${text.slice(0, 40)}" is no whole number`);
  return Number(text);
}

function octetsOf({ tls }: Verdict): number {
  const ders = (tls?.certificates ?? []).reduce((sum, { der }) => sum + (der?.length ?? 0), 0);
  return 1_000 + 1_500 * (tls?.certificates.length ?? 0) + ders;
}

const BOUNDS: MemoryBounds = { verdicts: 20_000, octets: 64 * 1024 * 1024 };
const DAY_MS = 86_400_000;
const PINS = 10_000;
const USUAL = 100;
const MOST = 500;
