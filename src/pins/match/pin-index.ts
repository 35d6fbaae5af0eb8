/**
 * The pins of one pinset, deny list or named list, looked up by what a certificate is compared with: one hash look-up
 * for each kind of pin, whatever their number; entries of lists may be in tables. Built once for each configuration;
 * knows dates and no places.
 */
import { sha512Hex } from '../../x509/fingerprint.ts';
import type { PresentedCertificate } from '../../x509/presented.ts';
import type { PinTable } from './pin-table.ts';
import { isUsable } from './usable.ts';
import type { CompiledPin, PinKind } from '../policy.ts';

export class PinIndex {
  /** By what is compared. Most pinsets have pins of one kind, and an empty map takes 200 octets. */
  readonly #maps: Partial<Record<Compared, Map<string, CompiledPin[]>>> = {};
  readonly #usable: UsableTimes;
  /** Every date at which a pin comes into use or goes out of it, in ascending order. */
  readonly #dates: readonly number[];
  readonly #tables: readonly PinTable[];
  /** Nothing is ever found. */
  readonly isEmpty: boolean;
  /** Whole certificates that may stand above the leaf. */
  readonly anchors: readonly CompiledPin[];

  /** `tables` change under it. */
  constructor(pins: readonly CompiledPin[], tables: readonly PinTable[] = []) {
    this.#tables = tables;
    this.isEmpty = pins.length === 0 && tables.length === 0;
    for (const pin of pins) this.#add(pin);
    this.#usable = new UsableTimes(pins);
    this.#dates = datesOf(pins, tables);
    this.anchors = pins.filter((pin) => pin.kind === 'cert' && pin.der !== null && pin.at !== 'leaf');
  }

  /** Whether at least one pin may be used at this time. */
  usableAt(nowMs: number): boolean {
    return this.#usable.contains(nowMs) || this.#tables.some((table) => table.usableAt(nowMs));
  }

  /** The first date after this time from which on another answer may be given; Infinity when there is none. */
  nextChange(nowMs: number): number {
    return this.#dates.find((date) => date > nowMs) ?? Infinity;
  }

  /** The pins that this certificate satisfies and that `accepts` lets through; primary pins first. */
  find(
    certificate: PresentedCertificate,
    nowMs: number,
    accepts: (pin: CompiledPin) => boolean,
  ): CompiledPin | undefined {
    if (this.isEmpty) return undefined;
    const { sha1, sha256, spkiSha256, key, der, spki } = certificate;
    const maps = this.#maps;
    const search = new Search(nowMs, accepts);
    search.among(maps.sha256?.get(sha256));
    this.#searchLists(search, 'cert-sha256', sha256);
    if (spkiSha256 !== null) search.among(maps.spki?.get(spkiSha256));
    if (spkiSha256 !== null) this.#searchLists(search, 'spki-sha256', spkiSha256);
    if (key !== null) search.among(maps.key?.get(key));
    search.among(maps.sha1?.get(sha1));
    this.#searchLists(search, 'cert-sha1', sha1);
    // TLSA's matching type 2, rare enough to be hashed only where it is used.
    search.among(maps.sha512?.get(sha512Hex(der)));
    if (spki !== null) search.among(maps.spkiSha512?.get(sha512Hex(spki)));
    return search.found;
  }

  #searchLists(search: Search, kind: PinKind, key: string): void {
    for (const table of this.#tables) {
      const pin = table.kind === kind ? table.find(key) : undefined;
      if (pin !== undefined) search.among([pin]);
    }
  }

  #add(pin: CompiledPin): void {
    const map = (this.#maps[COMPARED[pin.kind]] ??= new Map());
    const known = map.get(pin.key);
    if (known === undefined) map.set(pin.key, [pin]);
    else if (!known.some((other) => isSame(other, pin))) known.push(pin);
  }
}

/** The first of some pins that is a primary one, else the first one. */
class Search {
  found: CompiledPin | undefined;
  readonly #nowMs: number;
  readonly #accepts: (pin: CompiledPin) => boolean;

  constructor(nowMs: number, accepts: (pin: CompiledPin) => boolean) {
    this.#nowMs = nowMs;
    this.#accepts = accepts;
  }

  among(pins: readonly CompiledPin[] | undefined): void {
    if (pins === undefined || this.found?.role === 'primary') return;
    for (const pin of pins) {
      if (!isUsable(pin, this.#nowMs) || !this.#accepts(pin)) continue;
      if (pin.role === 'primary') return void (this.found = pin);
      this.found ??= pin;
    }
  }
}

/** When at least one of many pins may be used: disjoint intervals in ascending order. */
class UsableTimes {
  readonly #from: number[] = [];
  readonly #until: number[] = [];

  constructor(pins: readonly CompiledPin[]) {
    const times = pins
      .map((pin) => [pin.notBefore ?? -Infinity, pin.expires ?? Infinity] as const)
      .sort((a, b) => a[0] - b[0]);
    for (const [from, until] of times) {
      const last = this.#from.length - 1;
      if (last >= 0 && from <= this.#until[last]!) this.#until[last] = Math.max(this.#until[last]!, until);
      else if (from < until) {
        this.#from.push(from);
        this.#until.push(until);
      }
    }
  }

  contains(nowMs: number): boolean {
    let low = 0;
    let high = this.#from.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#until[middle]! <= nowMs) low = middle + 1;
      else high = middle;
    }
    return low < this.#from.length && this.#from[low]! <= nowMs;
  }
}

function datesOf(pins: readonly CompiledPin[], tables: readonly PinTable[]): number[] {
  const dates = [...pins, ...tables.map(({ terms }) => terms)].flatMap(({ notBefore, expires }) => [
    ...(notBefore === null ? [] : [notBefore]),
    ...(expires === null ? [] : [expires]),
  ]);
  return [...new Set(dates)].sort((a, b) => a - b);
}

function isSame(a: CompiledPin, b: CompiledPin): boolean {
  return a.at === b.at && a.role === b.role && a.notBefore === b.notBefore && a.expires === b.expires;
}

type Compared = 'sha1' | 'sha256' | 'sha512' | 'spki' | 'spkiSha512' | 'key';

const COMPARED: Readonly<Record<PinKind, Compared>> = {
  'cert-sha1': 'sha1',
  'cert-sha256': 'sha256',
  cert: 'sha256',
  'cert-sha512': 'sha512',
  'spki-sha256': 'spki',
  spki: 'spki',
  'spki-sha512': 'spkiSha512',
  key: 'key',
};
