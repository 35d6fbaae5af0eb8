/** The secrets of a key log that no decision has used up yet: bounded, and for a while only. */
import type { KeylogSource } from '../judge/ports.ts';
import type { HandshakeSecret } from './key-log.ts';

export interface KeyLogStoreOptions {
  /** Secrets that are kept; beyond, the oldest goes. */
  readonly entries?: number;
  /** Milliseconds; a handshake that takes longer is not decided by its secret. */
  readonly ttl?: number;
  /** Milliseconds on a clock that nobody sets; for tests. */
  readonly now?: () => number;
}

export class KeyLogStore implements KeylogSource {
  readonly #entries: number;
  readonly #ttl: number;
  readonly #now: () => number;
  /** By client random, oldest first. */
  readonly #secrets = new Map<string, { readonly secret: Uint8Array; readonly atMs: number }>();
  readonly #listeners: ((clientRandom: Uint8Array, secret: Uint8Array) => void)[] = [];

  constructor({ entries = 65_536, ttl = 30_000, now = () => performance.now() }: KeyLogStoreOptions = {}) {
    this.#entries = entries;
    this.#ttl = ttl;
    this.#now = now;
  }

  get size(): number {
    return this.#secrets.size;
  }

  add({ clientRandom, secret }: HandshakeSecret): void {
    const key = keyOf(clientRandom);
    this.#secrets.delete(key);
    this.#secrets.set(key, { secret, atMs: this.#now() });
    this.#expire();
    for (const listener of this.#listeners) listener(clientRandom, secret);
  }

  secretFor(clientRandom: Uint8Array): Uint8Array | undefined {
    this.#expire();
    return this.#secrets.get(keyOf(clientRandom))?.secret;
  }

  onSecret(listener: (clientRandom: Uint8Array, secret: Uint8Array) => void): void {
    this.#listeners.push(listener);
  }

  forget(clientRandom: Uint8Array): void {
    this.#secrets.delete(keyOf(clientRandom));
  }

  #expire(): void {
    const oldest = this.#now() - this.#ttl;
    for (const [key, { atMs }] of this.#secrets) {
      if (atMs > oldest && this.#secrets.size <= this.#entries) return;
      this.#secrets.delete(key);
    }
  }
}

function keyOf(clientRandom: Uint8Array): string {
  return Buffer.from(clientRandom.buffer, clientRandom.byteOffset, clientRandom.length).toString('latin1');
}
