/** When certificates end, and which one each pinned server has shown last. Knows no metrics. */
import { LRUCache } from 'lru-cache';

import type { VerdictEvent } from '../../judge/events.ts';
import { outlineOf } from '../../x509/outline.ts';
import { validityOf } from '../../x509/validity.ts';

export interface ShownCertificate {
  readonly pinset: string;
  readonly host: string;
  /** Milliseconds since the epoch. */
  readonly ends: number;
}

/** Leaves of servers that a pinset has let through, the last one of each. */
export class ShownCertificates {
  readonly #shown = new LRUCache<string, ShownCertificate>({ max: HOSTS });
  /** Of the very same object, which comes again and again, nothing is read twice. */
  readonly #ends = new WeakMap<Uint8Array, number>();

  take({ action, pinset, tls }: VerdictEvent): void {
    const [leaf] = tls?.certificates ?? [];
    if (leaf === undefined || pinset === null || action !== 'accept') return;
    let ends = this.#ends.get(leaf);
    if (ends === undefined) this.#ends.set(leaf, (ends = endOf(leaf)));
    if (ends === Infinity) return;
    const host = tls?.sni ?? '';
    this.#shown.set(`${pinset} ${host}`, { pinset, host, ends });
  }

  get all(): readonly ShownCertificate[] {
    return [...this.#shown.values()];
  }
}

/** Milliseconds since the epoch; Infinity where it cannot be read. */
export function endOf(der: Uint8Array): number {
  const outline = outlineOf(der);
  const ends = outline === null ? NaN : validityOf(der, outline).notAfter;
  return Number.isNaN(ends) ? Infinity : ends;
}

export function daysUntil(ms: number): number {
  return (ms - Date.now()) / DAY_MS;
}

/** Beyond: the one that was not shown for longest goes. */
const HOSTS = 2_000;
const DAY_MS = 86_400_000;
