/**
 * The transcript hash of TLS 1.3 (RFC 8446 §4.4.1): every handshake message with its header, in order. Which hash it is
 * only the server's answer tells, so it begins with the hellos as a whole. Knows no message's meaning.
 */
import { createHash, type Hash } from 'node:crypto';

import { HANDSHAKE } from './constants.ts';

/** The bodies of the messages with which every handshake begins. */
export interface Hellos {
  readonly clientHello: Uint8Array;
  readonly serverHello: Uint8Array;
  /** What stood between the two: a HelloRetryRequest and the second ClientHello, which it asked for. */
  readonly retry?: { readonly helloRetryRequest: Uint8Array; readonly clientHello: Uint8Array } | undefined;
}

export class Transcript {
  readonly #hash: Hash;

  /** `hash`: of the negotiated cipher suite, as node:crypto calls it. */
  constructor(hash: string) {
    this.#hash = createHash(hash);
  }

  /** Up to ServerHello. */
  static ofHellos(hash: string, { clientHello, serverHello, retry }: Hellos): Transcript {
    const transcript = new Transcript(hash);
    transcript.add(HANDSHAKE.clientHello, clientHello);
    if (retry === undefined) {
      transcript.add(HANDSHAKE.serverHello, serverHello);
      return transcript;
    }
    // After a HelloRetryRequest a digest stands for the first ClientHello.
    const retried = new Transcript(hash);
    retried.add(HANDSHAKE.messageHash, transcript.digest());
    retried.add(HANDSHAKE.serverHello, retry.helloRetryRequest);
    retried.add(HANDSHAKE.clientHello, retry.clientHello);
    retried.add(HANDSHAKE.serverHello, serverHello);
    return retried;
  }

  /** A message, whose header is made again. */
  add(type: number, body: Uint8Array): void {
    this.#hash.update(Uint8Array.of(type, body.length >> 16, (body.length >> 8) & 0xff, body.length & 0xff));
    this.#hash.update(body);
  }

  /** Of everything so far; the transcript may go on. */
  digest(): Uint8Array {
    return this.#hash.copy().digest();
  }
}
