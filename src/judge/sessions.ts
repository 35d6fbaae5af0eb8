/**
 * Sessions of TLS 1.2 and below that began under observation: ids and tickets given out in flows whose certificate
 * matched, so that an abbreviated handshake with one of them can rest on that evidence. Bound to the pinsets that were
 * satisfied and to the server's address; forgotten with the configuration. Bounded; the least recently used goes first.
 */
import { sha256Hex } from '../x509/fingerprint.ts';

export class SessionMemory {
  readonly #capacity: number;
  readonly #sessions = new Map<string, { pinsets: readonly string[]; expires: number }>();

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
    this.#sessions.set(key, { pinsets, expires: now + lifetime });
  }

  /** Whether the credential was given out while each of `pinsets` was satisfied. */
  isBound(server: Uint8Array, credential: Uint8Array, pinsets: readonly string[], now: number): boolean {
    const key = keyOf(server, credential);
    const session = this.#sessions.get(key);
    if (session === undefined) return false;
    this.#sessions.delete(key);
    if (session.expires < now) return false;
    this.#sessions.set(key, session);
    return pinsets.every((name) => session.pinsets.includes(name));
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
