/**
 * A unix stream socket that clients write key log lines to, any number of connections, each a log of its own. Knows
 * sockets, not secrets.
 */
import { createServer, type Server, type Socket } from 'node:net';

import type { KeyLogSink } from './key-log.ts';
import { clearSocketPath } from './socket-path.ts';

export interface KeyLogSocketOptions {
  readonly path: string;
  /** Who may connect, as chmod takes it. */
  readonly mode?: number;
  /** At a time; further ones are closed at once. */
  readonly connections?: number;
  readonly onConnection: () => KeyLogSink;
}

export class KeyLogSocket {
  readonly #options: KeyLogSocketOptions;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(options: KeyLogSocketOptions) {
    this.#options = options;
    this.#server = createServer((socket) => this.#onSocket(socket));
    this.#server.maxConnections = options.connections ?? 256;
  }

  /** Rejects where the path is taken or may not be made. */
  async start(): Promise<void> {
    const { path, mode = 0o660 } = this.#options;
    await clearSocketPath(path, 'key log socket');
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new Error(`key log socket ${path}: cannot be made (${cause.code})${cause.code === 'EACCES' ? CURE : ''}`, {
            cause,
          }),
        ),
      );
      const before = process.umask(0o777 & ~mode);
      this.#server.listen(path, resolve);
      process.umask(before);
    });
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #onSocket(socket: Socket): void {
    const sink = this.#options.onConnection();
    this.#sockets.add(socket);
    socket.on('data', (bytes) => sink.feed(bytes));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => {
      this.#sockets.delete(socket);
      sink.end();
    });
  }
}

/** Node says EACCES of a directory that is not there, too. */
const CURE = ': its directory has to be there, and this user to be allowed to write to it';
