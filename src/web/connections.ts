/**
 * Connections to the console, so many at a time: where there is no room, one that has not signed in makes it, the oldest
 * first. Whoever opens connection after connection without the token keeps nobody out who has it.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

export class Connections {
  readonly #most: number;
  readonly #strangers = new Set<Socket>();
  readonly #known = new Set<Socket>();

  constructor(most: number) {
    this.#most = most;
  }

  /** `event`: on which the sockets come that requests have. */
  watch(server: Server, event: 'connection' | 'secureConnection'): void {
    server.on(event, (socket: Socket) => this.#add(socket));
  }

  /** A request of it had a session. */
  trust(socket: Socket | undefined): void {
    if (socket !== undefined && this.#strangers.delete(socket)) this.#known.add(socket);
  }

  #add(socket: Socket): void {
    if (this.#strangers.size + this.#known.size >= this.#most) {
      const [oldest = socket] = this.#strangers;
      this.#strangers.delete(oldest);
      oldest.destroy();
      if (oldest === socket) return;
    }
    this.#strangers.add(socket);
    socket.once('close', () => {
      this.#strangers.delete(socket);
      this.#known.delete(socket);
    });
  }
}
