/**
 * Key logs of TLS clients (RFC 9850, the format of NSS): lines of `label client_random secret` in hexadecimal. Of them
 * one label is read, SERVER_HANDSHAKE_TRAFFIC_SECRET: with it a server's handshake can be read and nothing else.
 */

export interface HandshakeSecret {
  /** 32 octets. */
  readonly clientRandom: Uint8Array;
  /** As long as the suite's hash. */
  readonly secret: Uint8Array;
}

/** One log: its pieces, and its end. */
export interface KeyLogSink {
  feed(bytes: Uint8Array): void;
  end(): void;
}

/** Undefined for comments, for other labels and for what is no key log at all. */
export function parseKeyLogLine(line: string): HandshakeSecret | undefined {
  const match = SECRET_LINE.exec(line);
  if (match === null) return undefined;
  const octets = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'));
  return { clientRandom: octets(match[1]!), secret: octets(match[2]!) };
}

/** Of a whole log, such as a file or a capture's Decryption Secrets Block. */
export function parseKeyLog(log: Uint8Array): HandshakeSecret[] {
  const secrets: HandshakeSecret[] = [];
  const reader = new KeyLogReader((secret) => secrets.push(secret));
  reader.feed(log);
  reader.end();
  return secrets;
}

/** Reads a log that comes in pieces. A line that is longer than any secret's is passed over, so nothing grows. */
export class KeyLogReader implements KeyLogSink {
  readonly #onSecret: (secret: HandshakeSecret) => void;
  #line = '';

  constructor(onSecret: (secret: HandshakeSecret) => void) {
    this.#onSecret = onSecret;
  }

  feed(bytes: Uint8Array): void {
    const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1').split('\n');
    for (const [index, piece] of lines.entries()) {
      this.#line = (this.#line + piece).slice(0, MAX_LINE);
      if (index < lines.length - 1) this.end();
    }
  }

  /** The line that was begun is all that there is of it. */
  end(): void {
    const secret = parseKeyLogLine(this.#line);
    this.#line = '';
    if (secret !== undefined) this.#onSecret(secret);
  }
}

/** Hashes of TLS 1.3's suites are of 32 or 48 octets. */
const SECRET_LINE = /^SERVER_HANDSHAKE_TRAFFIC_SECRET ([0-9a-f]{64}) ([0-9a-f]{64}|[0-9a-f]{96})\r?$/i;
const MAX_LINE = 256;
