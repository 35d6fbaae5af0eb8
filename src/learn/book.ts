/**
 * What was seen of each host, and what it comes to: whether its keys are settled, and which keys sign for hosts that have
 * nothing to do with each other, as an interception proxy's do. Bounded in hosts and in keys a host. Knows no files, no
 * policies and no packets.
 *
 *   learning ──the last N observations showed only keys that were seen N times each──▶ ready
 *       ▲                                                                                │ unless a key is shared
 *       └────────────── a key of it turns out to be shared ──────────────── promoted ◀───┘ and only where that is wanted
 */
import type { ChainKey, LearnedChain } from './chain.ts';
import { siteOf } from './site.ts';
import type { LearnedHost, LearnedIssuer, LearnedKey, LearnState } from './state.ts';

export interface BookLimits {
  readonly observations: number;
  readonly hosts: number;
  readonly keys: number;
}

export type Readiness =
  | { readonly kind: 'learning' }
  | { readonly kind: 'ready'; readonly keys: readonly LearnedKey[] }
  /** A key of the last observations signs for unrelated hosts, or hangs below one that does. */
  | { readonly kind: 'shared'; readonly shared: string; readonly sites: readonly string[] };

export class LearnBook {
  limits: BookLimits;
  /** Observations of hosts for which there was no room. */
  unrecorded = 0;
  readonly #pinsets = new Map<string, Map<string, LearnedHost>>();
  readonly #shared: SharedKeys;
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
    return { version: 1, pinsets: Object.fromEntries(pinsets) as LearnState['pinsets'], shared: this.#shared.known };
  }

  hostsOf(pinset: string): ReadonlyMap<string, LearnedHost> {
    return this.#pinsets.get(pinset) ?? NO_HOSTS;
  }

  /** `chain`: null where the leaf's key could not be read. Undefined where there is no room for another host. */
  observe(pinset: string, host: string, chain: LearnedChain | null, atMs: number): LearnedHost | undefined {
    const at = new Date(atMs).toISOString();
    const learned = this.#hostFor(pinset, host, at);
    if (learned === undefined) {
      this.unrecorded++;
      return undefined;
    }
    learned.observations++;
    learned.lastSeen = at;
    if (chain === null) {
      learned.unlistedAt = learned.observations;
      return learned;
    }
    const issuers = [
      ...chain.issuers.map(({ spki }) => spki),
      ...(chain.unseenIssuer === null ? [] : [chain.unseenIssuer]),
    ];
    const key = see(learned.keys, chain.leaf, at, () => ({
      lastAt: 0,
      issuers,
      isPublic: chain.isPublic,
      carriesName: chain.carriesName,
    }));
    Object.assign(key, {
      lastAt: learned.observations,
      issuers: [...new Set([...issuers, ...key.issuers])].slice(0, MAX_ISSUERS),
      // Once below an authority that is not everybody's, always to be looked at.
      isPublic: key.isPublic && chain.isPublic,
      carriesName: key.carriesName && chain.carriesName,
    });
    for (const issuer of chain.issuers) see<LearnedIssuer>(learned.issuers, issuer, at, () => ({}));
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
    see(learned.refused, key, new Date(atMs).toISOString(), () => ({}));
    shorten(learned.refused, MAX_REFUSED, []);
  }

  promote(learned: LearnedHost, keys: readonly LearnedKey[], atMs: number): void {
    learned.promoted = { at: new Date(atMs).toISOString(), keys: keys.map(({ spki }) => spki) };
    learned.refused = [];
  }

  readinessOf(learned: LearnedHost): Readiness {
    const { observations: wanted } = this.limits;
    const since = learned.observations - wanted;
    const recent = learned.keys.filter((key) => key.lastAt > since);
    for (const key of recent) {
      const shared = this.sharedBy(key);
      if (shared !== undefined) return { kind: 'shared', ...shared };
    }
    const isSettled = recent.length > 0 && recent.every((key) => key.count >= wanted);
    const isReady = since >= 0 && learned.unlistedAt <= since && isSettled;
    return isReady ? { kind: 'ready', keys: recent } : { kind: 'learning' };
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
   * Whether a promotion still stands. Only keys that were shown to sign may take it back: anybody can write the name of
   * somebody's issuer into a certificate of his own.
   */
  stands(learned: LearnedHost): boolean {
    const promoted = learned.promoted?.keys ?? [];
    return learned.keys.every((key) => {
      if (!promoted.includes(key.spki)) return true;
      const shown = key.issuers.filter((issuer) => !issuer.startsWith('name:'));
      return this.sharedBy({ ...key, issuers: shown }) === undefined;
    });
  }

  #hostFor(pinset: string, host: string, at: string): LearnedHost | undefined {
    let hosts = this.#pinsets.get(pinset);
    const known = hosts?.get(host);
    if (known !== undefined) return known;
    if (this.#hostCount >= this.limits.hosts) return undefined;
    if (hosts === undefined) this.#pinsets.set(pinset, (hosts = new Map<string, LearnedHost>()));
    const seen = { observations: 0, firstSeen: at, lastSeen: at, unlistedAt: 0 };
    const learned: LearnedHost = { ...seen, keys: [], issuers: [], promoted: null, refused: [] };
    hosts.set(host, learned);
    this.#hostCount++;
    return learned;
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

/** The key's entry, a new one where there is none, with one more sighting. */
function see<T extends Seen>(
  entries: T[],
  { spki, subject }: ChainKey,
  at: string,
  more: () => Omit<T, keyof Seen>,
): T {
  let entry = entries.find((each) => each.spki === spki);
  if (entry === undefined) {
    entry = { spki, subject, count: 0, firstSeen: at, lastSeen: at, ...more() } as T;
    entries.push(entry);
  }
  entry.count++;
  entry.subject = subject;
  entry.lastSeen = at;
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
const MAX_ISSUERS = 16;
const MAX_REFUSED = 8;
const MAX_SHARED = 4_096;
/** As many as a message names. */
const MAX_SITES = 8;
const NO_HOSTS: ReadonlyMap<string, LearnedHost> = new Map();
const NONE: readonly string[] = [];
