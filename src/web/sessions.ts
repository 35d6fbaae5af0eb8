/**
 * Who is signed in: browsers that have shown the token, or the password, and have a cookie since. Nothing of it is kept
 * on the disk: a console that is started anew knows nobody. Bounded in sessions and in attempts. Knows no HTTP.
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

import { LRUCache } from 'lru-cache';

export interface BrowserSession {
  readonly id: string;
  readonly csrf: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
}

export interface SessionsOptions {
  readonly token: string;
  readonly password: string | null;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export class Sessions {
  readonly #token: Buffer;
  readonly #password: Buffer | null;
  readonly #now: () => number;
  readonly #sessions = new Map<string, BrowserSession>();
  readonly #attempts: Buckets;

  constructor({ token, password, now = Date.now }: SessionsOptions) {
    this.#token = digest(token);
    this.#password = password === null ? null : digest(password);
    this.#now = now;
    this.#attempts = new Buckets({ perSecond: 0.2, burst: 10 }, now);
  }

  /** `from`: who tries, asked where it is not the token. Undefined: it is wrong; `limited`: it is not even looked at. */
  signIn(secret: string, from: () => string): BrowserSession | 'limited' | undefined {
    const given = digest(secret);
    // Nobody guesses a token, so that nobody can keep its holder out by guessing.
    if (timingSafeEqual(given, this.#token)) return this.#begin();
    if (!this.#attempts.take(from())) return 'limited';
    return this.#password !== null && timingSafeEqual(given, this.#password) ? this.#begin() : undefined;
  }

  find(id: string | undefined): BrowserSession | undefined {
    const session = id === undefined ? undefined : this.#sessions.get(id);
    if (session === undefined || session.until > this.#now()) return session;
    this.#sessions.delete(session.id);
    return undefined;
  }

  end(id: string): void {
    this.#sessions.delete(id);
  }

  #begin(): BrowserSession {
    const session = { id: newSecret(), csrf: newSecret(), until: this.#now() + LASTS_MS };
    this.#sessions.set(session.id, session);
    if (this.#sessions.size > MOST) this.#sessions.delete(this.#sessions.keys().next().value!);
    return session;
  }
}

export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** As many as there are tokens in a bucket that fills steadily; one for each key. */
export class Buckets {
  readonly #rate: Rate;
  readonly #now: () => number;
  readonly #buckets = new LRUCache<string, { level: number; at: number }>({ max: 1_000 });

  constructor(rate: Rate, now: () => number = Date.now) {
    this.#rate = rate;
    this.#now = now;
  }

  take(key: string): boolean {
    const { perSecond, burst } = this.#rate;
    const now = this.#now();
    const { level, at } = this.#buckets.get(key) ?? { level: burst, at: now };
    const filled = Math.min(burst, level + (Math.max(0, now - at) / 1000) * perSecond);
    this.#buckets.set(key, { level: filled < 1 ? filled : filled - 1, at: now });
    return filled >= 1;
  }
}

export function newSecret(): string {
  return randomBytes(32).toString('base64url');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

const LASTS_MS = 12 * 3_600_000;
const MOST = 64;
