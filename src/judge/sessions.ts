/**
 * Sessions of TLS 1.2 and below that began under observation: ids and tickets given out in flows whose certificate
 * matched, so that an abbreviated handshake with one of them can rest on that evidence. Bound to the pinsets that were
 * satisfied, to the server's address and to the client's (of IPv6 its /64); forgotten with the configuration. Bounded; the least recently used goes first.
 */
import type { FlowSubject } from '../pins/match/snapshot.ts';
import { sha256Hex } from '../x509/fingerprint.ts';

/** That a session was given out while pinsets were satisfied; made by what remembers it, and by nothing else. */
class BoundSession {
  readonly #pinsets: readonly string[];
  readonly #expiry: SessionExpiry;

  constructor(pinsets: readonly string[], expiry: SessionExpiry) {
    this.#pinsets = pinsets;
    this.#expiry = expiry;
  }

  kept(key: string, now: number): KeptSession {
    const { until, dateMs } = this.#expiry;
    return { key, pinsets: this.#pinsets, left: until - now, dateMs: Number.isFinite(dateMs) ? dateMs : null };
  }

  isOver({ now, dateMs }: SessionTime): boolean {
    return this.#expiry.until < now || this.#expiry.dateMs <= dateMs;
  }

  isOf(pinsets: readonly string[]): boolean {
    return pinsets.every((name) => this.#pinsets.includes(name));
  }
}
export type { BoundSession };

/** Both clocks: on the one that nobody sets, in microseconds, its lifetime; on the time of day what has dates. */
export interface SessionTime {
  readonly now: number;
  readonly dateMs: number;
}

/** A session counts through `until`, and before the date. */
export interface SessionExpiry {
  readonly until: number;
  readonly dateMs: number;
}

/** One as another process may know it: `left` microseconds are left of it. */
export interface KeptSession {
  readonly key: string;
  readonly pinsets: readonly string[];
  readonly left: number;
  /** Null: no date ends it. */
  readonly dateMs: number | null;
}

export class SessionMemory {
  readonly #capacity: number;
  readonly #sessions = new Map<string, BoundSession>();
  /** Since they were asked for; undefined: nobody has asked. */
  #news: Set<string> | undefined;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** `credential`: a session id or a ticket. */
  remember(
    { client, server }: FlowSubject,
    credential: Uint8Array,
    pinsets: readonly string[],
    expiry: SessionExpiry,
  ): void {
    const key = keyOf(client.address, server.address, credential);
    this.#sessions.delete(key);
    this.#set(key, new BoundSession(pinsets, expiry));
    this.#news?.add(key);
  }

  /** There where the credential was given out while each of `pinsets` was satisfied. */
  bound(
    { client, server }: FlowSubject,
    credential: Uint8Array,
    pinsets: readonly string[],
    time: SessionTime,
  ): BoundSession | undefined {
    const key = keyOf(client.address, server.address, credential);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    this.#sessions.delete(key);
    if (session.isOver(time)) return undefined;
    this.#sessions.set(key, session);
    return session.isOf(pinsets) ? session : undefined;
  }

  /** The least recently used first. `now` in microseconds. */
  keep(now: number): KeptSession[] {
    return [...this.#sessions].map(([key, session]) => session.kept(key, now));
  }

  /** Those that were remembered since it was asked the last time; the first time all of them. */
  takeNews(now: number): KeptSession[] {
    const known = this.#news === undefined ? this.#sessions.keys() : this.#news;
    const news = [...known].flatMap((key) => this.#sessions.get(key)?.kept(key, now) ?? []);
    this.#news = new Set();
    return news;
  }

  /** What another process remembers, beside what is known here. That is no news. */
  restore(kept: readonly KeptSession[], now: number): void {
    for (const { key, pinsets, left, dateMs } of kept.slice(-this.#capacity)) {
      if (this.#sessions.has(key)) continue;
      this.#set(key, new BoundSession(pinsets, { until: now + left, dateMs: dateMs ?? Infinity }));
    }
  }

  clear(): void {
    this.#sessions.clear();
    this.#news?.clear();
  }

  #set(key: string, session: BoundSession): void {
    if (this.#sessions.size >= this.#capacity) {
      const oldest = this.#sessions.keys().next().value!;
      this.#sessions.delete(oldest);
      this.#news?.delete(oldest);
    }
    this.#sessions.set(key, session);
  }
}

/** Tickets may be long and are the peer's bytes: only their digest is kept. */
function keyOf(client: Uint8Array, server: Uint8Array, credential: Uint8Array): string {
  // Of IPv6 the network: a client takes another address in it whenever it likes (RFC 8981).
  const network = client.length === 16 ? client.subarray(0, 8) : client;
  return sha256Hex(Buffer.concat([Uint8Array.of(network.length, server.length), network, server, credential]));
}
