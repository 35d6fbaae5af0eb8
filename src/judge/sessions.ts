/**
 * Sessions of TLS 1.2 and below that began under observation: ids and tickets given out in flows whose certificate
 * matched, so that an abbreviated handshake with one of them can rest on that evidence. Bound to the pinsets that were
 * satisfied and to the server's address; forgotten with the configuration. Bounded; the least recently used goes first.
 */
import { sha256Hex } from '../x509/fingerprint.ts';

/** That a session was given out while pinsets were satisfied; made by what remembers it, and by nothing else. */
class BoundSession {
  readonly #pinsets: readonly string[];
  /** In microseconds. */
  readonly #expires: number;

  constructor(pinsets: readonly string[], expires: number) {
    this.#pinsets = pinsets;
    this.#expires = expires;
  }

  isOver(now: number): boolean {
    return this.#expires < now;
  }

  isOf(pinsets: readonly string[]): boolean {
    return pinsets.every((name) => this.#pinsets.includes(name));
  }
}
export type { BoundSession };

export class SessionMemory {
  readonly #capacity: number;
  readonly #sessions = new Map<string, BoundSession>();

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** `credential`: a session id or a ticket. `now` and `lifetime` in microseconds. */
  remember(
    server: Uint8Array,
    credential: Uint8Array,
    pinsets: readonly string[],
    now: number,
    lifetime: number,
  ): void {
    const key = keyOf(server, credential);
    this.#sessions.delete(key);
    if (this.#sessions.size >= this.#capacity) this.#sessions.delete(this.#sessions.keys().next().value!);
    this.#sessions.set(key, new BoundSession(pinsets, now + lifetime));
  }

  /** There where the credential was given out while each of `pinsets` was satisfied. */
  bound(server: Uint8Array, credential: Uint8Array, pinsets: readonly string[], now: number): BoundSession | undefined {
    const key = keyOf(server, credential);
    const session = this.#sessions.get(key);
    if (session === undefined) return undefined;
    this.#sessions.delete(key);
    if (session.isOver(now)) return undefined;
    this.#sessions.set(key, session);
    return session.isOf(pinsets) ? session : undefined;
  }

  clear(): void {
    this.#sessions.clear();
  }
}

/** Tickets may be long and are the peer's bytes: only their digest is kept. */
function keyOf(server: Uint8Array, credential: Uint8Array): string {
  const bytes = new Uint8Array(server.length + credential.length);
  bytes.set(server);
  bytes.set(credential, server.length);
  return sha256Hex(bytes);
}
