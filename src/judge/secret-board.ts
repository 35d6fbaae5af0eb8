/** Who waits for which secret of the key log: each comes to the connection whose ClientHello had its random. */
import type { KeylogSource } from './ports.ts';

export class SecretBoard {
  readonly #source: KeylogSource;
  /** By client random. */
  readonly #waiting = new Map<string, (secret: Uint8Array) => void>();

  constructor(source: KeylogSource) {
    this.#source = source;
    source.onSecret((clientRandom, secret) => this.#waiting.get(keyOf(clientRandom))?.(secret));
  }

  /** Tells `found` at once or later on; a later question takes the place of an earlier one. */
  ask(clientRandom: Uint8Array, found: (secret: Uint8Array) => void): void {
    const secret = this.#source.secretFor(clientRandom);
    if (secret === undefined) this.#waiting.set(keyOf(clientRandom), found);
    else found(secret);
  }

  /** Nobody waits any more, and the secret is not needed. */
  forget(clientRandom: Uint8Array): void {
    this.#waiting.delete(keyOf(clientRandom));
    this.#source.forget(clientRandom);
  }
}

function keyOf(clientRandom: Uint8Array): string {
  return Buffer.from(clientRandom.buffer, clientRandom.byteOffset, clientRandom.length).toString('latin1');
}
