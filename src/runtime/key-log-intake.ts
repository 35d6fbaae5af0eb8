/**
 * Where clients log their secrets, as the configuration names it: a file that is followed as it grows, or a socket that
 * is served. What one piece of a log holds is handed on together. Keeps no secret and knows no threads.
 */
import type { KeylogPolicy } from '../pins/policy.ts';
import { type HandshakeSecret, KeyLogReader, type KeyLogSink } from '../source/key-log.ts';
import { KeyLogFile } from '../source/key-log-file.ts';
import { KeyLogSocket } from '../source/key-log-socket.ts';

export interface KeyLogIntakeOptions {
  readonly onSecrets: (secrets: readonly HandshakeSecret[]) => void;
  /** One line to the operator: a log that could be opened cannot be read any more. */
  readonly say: (line: string) => void;
}

export class KeyLogIntake {
  readonly #options: KeyLogIntakeOptions;
  readonly #places: readonly (KeyLogFile | KeyLogSocket)[];

  constructor({ file, socket }: KeylogPolicy, options: KeyLogIntakeOptions) {
    this.#options = options;
    const places: (KeyLogFile | KeyLogSocket)[] = [];
    if (file !== null) {
      const log = this.#log();
      places.push(new KeyLogFile({ path: file, onBytes: (bytes) => log.feed(bytes), onTrouble: options.say }));
    }
    if (socket !== null) {
      places.push(new KeyLogSocket({ path: socket, mode: SOCKET_MODE, onConnection: () => this.#log() }));
    }
    this.#places = places;
  }

  /** Rejects, with nothing left open, with a sentence that names the place that cannot be had. */
  async start(): Promise<void> {
    try {
      for (const place of this.#places) await place.start();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    for (const place of this.#places) await place.stop();
  }

  #log(): KeyLogSink {
    let secrets: HandshakeSecret[] = [];
    const reader = new KeyLogReader((secret) => secrets.push(secret));
    const handOn = (): void => {
      if (secrets.length > 0) this.#options.onSecrets(secrets);
      secrets = [];
    };
    return {
      feed: (bytes) => {
        reader.feed(bytes);
        handOn();
      },
      end: () => {
        reader.end();
        handOn();
      },
    };
  }
}

/** Whoever may write there may say what servers' handshakes are read with. */
const SOCKET_MODE = 0o600;
