/**
 * What was seen of each host, and what it comes to: whether its keys are settled, and which keys sign for hosts that have
 * nothing to do with each other, as an interception proxy's do. A key that is shown again and again within a while is one
 * observation: who is in the middle for a minute is not seen often. Bounded in hosts and in keys a host. Knows no files,
 * no policies and no packets.
 *
 *   learning ──the last N observations showed only keys that were seen N times each──▶ ready
 *       ▲                                                                                │ unless a key is shared
 *       └───── its leaf's key turns out to be shared; or it is forgotten ── promoted ◀───┘ and only where that is wanted
 */
import type { ChainKey, LearnedChain } from './chain.ts';
import { type HostSighting, NOBODY, type Votes } from './corroboration.ts';
import { siteOf } from './site.ts';
import type { LearnedHost, LearnedIssuer, LearnedKey, LearnState } from './state.ts';

export interface BookLimits {
  readonly observations: number;
  /** Seconds. */
  readonly spacing: number;
  readonly hosts: number;
  readonly keys: number;
}

export type Readiness =
  | { readonly kind: 'learning' }
  /** `more`: those that it shows elsewhere. */
  | { readonly kind: 'ready'; readonly keys: readonly LearnedKey[]; readonly more: readonly string[] }
  /** A key of the last observations signs for unrelated hosts, or hangs below one that does. */
  | { readonly kind: 'shared'; readonly shared: string; readonly sites: readonly string[] };

export class LearnBook {
  limits: BookLimits;
  /** Observations of hosts for which there was no room. */
  unrecorded = 0;
  /** Hosts that made room for others. */
  displaced = 0;
  readonly #pinsets = new Map<string, Map<string, LearnedHost>>();
  readonly #shared: SharedKeys;
  /** Milliseconds on the clock of `observe`. */
  readonly #countedAt = new WeakMap<LearnedKey, number>();
  #hostCount = 0;

  constructor(state: LearnState, limits: BookLimits) {
    this.limits = limits;
    this.#shared = new SharedKeys(state.shared);
    for (const [pinset, hosts] of Object.entries(state.pinsets)) {
      this.#pinsets.set(pinset, new Map(Object.entries(hosts)));
      for (const [host, learned] of Object.entries(hosts)) {
        this.#hostCount++;
        for (const key of learned.keys) this.#shared.add(pinset, host, key);
      }
    }
  }

  get state(): LearnState {
    const pinsets = [...this.#pinsets].map(([pinset, hosts]) => [pinset, Object.fromEntries(hosts)]);
    return { version: 1, pinsets: Object.fromEntries(pinsets) as LearnState['pinsets'], shared: this.shared };
  }

  get shared(): LearnState['shared'] {
    return this.#shared.known;
  }

  hostsOf(pinset: string): ReadonlyMap<string, LearnedHost> {
    return this.#pinsets.get(pinset) ?? NO_HOSTS;
  }

  /**
   * `chain`: null where the leaf's key could not be read. `now`: milliseconds on a clock that nobody sets, where there is
   * one. Undefined where there is no room for another host.
   */
  observe(
    pinset: string,
    host: string,
    chain: LearnedChain | null,
    atMs: number,
    now: number = atMs,
  ): LearnedHost | undefined {
    const at = new Date(atMs).toISOString();
    const learned = this.#hostFor(pinset, host, at);
    if (learned === undefined) {
      this.unrecorded++;
      return undefined;
    }
    const known = learned.keys.find(({ spki }) => spki === chain?.leaf.spki);
    const isCounted = known === undefined || this.#isSpaced(known, atMs, now);
    if (isCounted) {
      learned.observations++;
      learned.lastSeen = at;
    }
    if (chain === null) {
      learned.unlistedAt = learned.observations;
      return learned;
    }
    const issuers = [
      ...chain.issuers.map(({ spki }) => spki),
      ...(chain.unseenIssuer === null ? [] : [chain.unseenIssuer]),
    ];
    const sighting = { at, isCounted };
    const key = see(learned.keys, chain.leaf, sighting, () => ({
      lastAt: 0,
      issuers,
      isPublic: chain.isPublic,
      carriesName: chain.carriesName,
    }));
    if (isCounted) this.#countedAt.set(key, now);
    Object.assign(key, {
      lastAt: isCounted ? learned.observations : key.lastAt,
      issuers: [...new Set([...issuers, ...key.issuers])].slice(0, MAX_ISSUERS),
      // Once below an authority that is not everybody's, always to be looked at.
      isPublic: key.isPublic && chain.isPublic,
      carriesName: key.carriesName && chain.carriesName,
    });
    for (const issuer of chain.issuers) see<LearnedIssuer>(learned.issuers, issuer, sighting, () => ({}));
    for (const gone of shorten(learned.keys, this.limits.keys, learned.promoted?.keys ?? [])) {
      learned.unlistedAt = Math.max(learned.unlistedAt, gone.lastAt);
      this.#shared.forget(pinset, host, gone, learned.keys);
    }
    shorten(learned.issuers, this.limits.keys, []);
    this.#shared.add(pinset, host, key);
    return learned;
  }

  /** A key that a promoted host was denied for. */
  refuse(learned: LearnedHost, key: ChainKey, atMs: number): void {
    see(learned.refused, key, { at: new Date(atMs).toISOString(), isCounted: true }, () => ({}));
    shorten(learned.refused, MAX_REFUSED, []);
  }

  promote(learned: LearnedHost, keys: readonly string[], atMs: number): void {
    learned.promoted = { at: new Date(atMs).toISOString(), keys: [...keys] };
    learned.refused = [];
  }

  /** A promoted host is held to this key as well. */
  hold(learned: LearnedHost, spki: string): void {
    const { promoted } = learned;
    if (promoted === null || promoted.keys.includes(spki)) return;
    learned.promoted = { ...promoted, keys: [...promoted.keys, spki] };
    learned.refused = learned.refused.filter((key) => key.spki !== spki);
  }

  readinessOf(learned: LearnedHost, others: Votes = NOBODY): Readiness {
    const { observations: wanted } = this.limits;
    const since = learned.observations - wanted;
    const recent = this.#recentOf(learned);
    for (const key of recent) {
      const shared = this.sharedBy(key);
      if (shared !== undefined) return { kind: 'shared', ...shared };
    }
    const isSettled = recent.length > 0 && recent.every((key) => others.bearOut(key, wanted));
    const isListed = learned.unlistedAt <= Math.max(0, since);
    if (since + others.observations < 0 || !isListed || !isSettled) return { kind: 'learning' };
    const more = others.keysBeside(learned.keys, wanted).filter((spki) => this.sitesOf(spki).length === 0);
    return { kind: 'ready', keys: recent, more };
  }

  /** What others may be told of the host: keys that it shows lately, and nobody else does. */
  sightingOf(learned: LearnedHost): HostSighting {
    const { observations: most } = this.limits;
    const keys = this.#recentOf(learned).filter((key) => this.sharedBy(key) === undefined);
    return {
      observations: Math.min(learned.observations, most),
      keys: keys.map(({ spki, count }) => ({ spki, count: Math.min(count, most) })),
    };
  }

  #recentOf({ observations, keys }: LearnedHost): LearnedKey[] {
    return keys.filter((key) => key.lastAt > observations - this.limits.observations);
  }

  /** Unrelated names that one key signs for; empty where it does not. */
  sitesOf(spki: string): readonly string[] {
    return this.#shared.sitesOf(spki);
  }

  /** The key itself, or one above it that is no public authority's, where it signs for unrelated hosts. */
  sharedBy(key: LearnedKey): { shared: string; sites: readonly string[] } | undefined {
    const suspects = [key.spki, ...(key.isPublic ? [] : key.issuers)];
    const shared = suspects.find((spki) => this.#shared.sitesOf(spki).length > 1);
    return shared === undefined ? undefined : { shared, sites: this.#shared.sitesOf(shared) };
  }

  /**
   * Whether a promotion still stands. Only who has the host's own key may take it back, by showing it for another host:
   * what its issuer signs for others is nothing that whoever got a certificate of the same issuer should decide.
   */
  stands({ promoted }: LearnedHost): boolean {
    return promoted !== null && promoted.keys.every((spki) => this.sitesOf(spki).length < 2);
  }

  /** Has never seen the host. What is known to be shared stays known. */
  forget(pinset: string, host: string): void {
    const hosts = this.#pinsets.get(pinset);
    const learned = hosts?.get(host);
    if (hosts === undefined || learned === undefined) return;
    for (const key of learned.keys) this.#shared.forget(pinset, host, key, []);
    hosts.delete(host);
    this.#hostCount--;
    if (hosts.size === 0) this.#pinsets.delete(pinset);
  }

  /** Every host, by pinset. */
  *hosts(): Iterable<readonly [pinset: string, host: string, learned: LearnedHost]> {
    for (const [pinset, hosts] of this.#pinsets) for (const [host, learned] of hosts) yield [pinset, host, learned];
  }

  /** What was counted before a restart has its date only; either way, because a clock may have been wrong. */
  #isSpaced(key: LearnedKey, atMs: number, now: number): boolean {
    const countedAt = this.#countedAt.get(key);
    const since = countedAt === undefined ? atMs - Date.parse(key.lastSeen) : now - countedAt;
    return Math.abs(since) >= this.limits.spacing * 1000;
  }

  #hostFor(pinset: string, host: string, at: string): LearnedHost | undefined {
    let hosts = this.#pinsets.get(pinset);
    const known = hosts?.get(host);
    if (known !== undefined) return known;
    if (this.#hostCount >= this.limits.hosts && !this.#makeRoom()) return undefined;
    hosts = this.#pinsets.get(pinset);
    if (hosts === undefined) this.#pinsets.set(pinset, (hosts = new Map<string, LearnedHost>()));
    const seen = { observations: 0, firstSeen: at, lastSeen: at, unlistedAt: 0 };
    const learned: LearnedHost = { ...seen, keys: [], issuers: [], promoted: null, refused: [] };
    hosts.set(host, learned);
    this.#hostCount++;
    return learned;
  }

  /** Names are the clients' choice: one that was given once only makes room, the oldest first. */
  #makeRoom(): boolean {
    for (const [pinset, host, { observations, promoted }] of this.hosts()) {
      if (observations > 1 || promoted !== null) continue;
      this.forget(pinset, host);
      this.displaced++;
      return true;
    }
    return false;
  }
}

/** Keys by the sites that they sign for, and by the hosts there that showed them. */
class SharedKeys {
  readonly #sites = new Map<string, Map<string, Set<string>>>();
  #sharedCount = 0;

  constructor(known: LearnState['shared']) {
    for (const [key, sites] of Object.entries(known)) for (const site of sites) this.#setOf(key, site);
  }

  get known(): LearnState['shared'] {
    const shared = [...this.#sites].filter(([, sites]) => sites.size > 1);
    return Object.fromEntries(shared.map(([key, sites]) => [key, [...sites.keys()]]));
  }

  add(pinset: string, host: string, { spki, issuers }: Pick<LearnedKey, 'spki' | 'issuers'>): void {
    const site = siteOf(host);
    if (site === null) return;
    for (const key of [spki, ...issuers]) this.#setOf(key, site)?.add(`${pinset} ${host}`);
  }

  /** The host has no room for a key. What is known to be shared stays known, as far as there is room for that. */
  forget(pinset: string, host: string, { spki, issuers }: LearnedKey, others: readonly LearnedKey[]): void {
    const site = siteOf(host);
    if (site === null) return;
    for (const key of [spki, ...issuers]) {
      const sites = this.#sites.get(key);
      const isHeld = others.some((other) => other.spki === key || other.issuers.includes(key));
      if (sites === undefined || isHeld) continue;
      const hosts = sites.get(site);
      hosts?.delete(`${pinset} ${host}`);
      const isShared = sites.size > 1;
      if ((isShared && this.#sharedCount <= MAX_SHARED) || (hosts !== undefined && hosts.size > 0)) continue;
      if (isShared) this.#sharedCount--;
      this.#sites.delete(key);
    }
  }

  sitesOf(spki: string): readonly string[] {
    const sites = this.#sites.get(spki);
    return sites === undefined || sites.size < 2 ? NONE : [...sites.keys()];
  }

  #setOf(key: string, site: string): Set<string> | undefined {
    let sites = this.#sites.get(key);
    if (sites === undefined) this.#sites.set(key, (sites = new Map<string, Set<string>>()));
    let hosts = sites.get(site);
    if (hosts !== undefined || sites.size >= MAX_SITES) return hosts;
    sites.set(site, (hosts = new Set()));
    if (sites.size === 2) this.#sharedCount++;
    return hosts;
  }
}

type Seen = Pick<LearnedIssuer, 'spki' | 'subject' | 'count' | 'firstSeen' | 'lastSeen'>;

interface Sighting {
  readonly at: string;
  readonly isCounted: boolean;
}

/** The key's entry, a new one where there is none, with one more sighting. */
function see<T extends Seen>(
  entries: T[],
  { spki, subject }: ChainKey,
  { at, isCounted }: Sighting,
  more: () => Omit<T, keyof Seen>,
): T {
  let entry = entries.find((each) => each.spki === spki);
  if (entry === undefined) {
    entry = { spki, subject, count: 0, firstSeen: at, lastSeen: at, ...more() } as T;
    entries.push(entry);
  }
  if (isCounted || entry.count === 0) {
    entry.count++;
    entry.lastSeen = at;
  }
  entry.subject = subject?.slice(0, LONGEST_SUBJECT) ?? null;
  return entry;
}

/** Takes out what was not seen for longest, and is not among `kept`, until the rest fits. */
function shorten<T extends Seen>(entries: T[], most: number, kept: readonly string[]): T[] {
  const gone: T[] = [];
  while (entries.length > most) {
    const last = entries.length - 1;
    let oldest = -1;
    for (const [index, { spki, lastSeen }] of entries.entries()) {
      if (index === last || kept.includes(spki)) continue;
      if (oldest < 0 || lastSeen < entries[oldest]!.lastSeen) oldest = index;
    }
    gone.push(...entries.splice(oldest < 0 ? last : oldest, 1));
  }
  return gone;
}

/** More than a verified path has. */
const MAX_ISSUERS = 8;
/** Octets that a server chooses. */
const LONGEST_SUBJECT = 256;
const MAX_REFUSED = 8;
const MAX_SHARED = 4_096;
/** As many as a message names. */
const MAX_SITES = 8;
const NO_HOSTS: ReadonlyMap<string, LearnedHost> = new Map();
const NONE: readonly string[] = [];
