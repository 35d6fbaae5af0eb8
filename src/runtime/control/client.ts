/**
 * Asks a running tlspin over its control socket: requests one after the other over one connection. Knows sockets and
 * lines; what is asked is for others.
 */
import { connect, type Socket } from 'node:net';

import type { Answer } from './server.ts';

export type Request = Readonly<Record<string, unknown>> & { readonly command: string };

export class ControlClient {
  readonly #socket: Socket;
  readonly #path: string;
  #text = '';
  #waiting: ((line: string | undefined) => void) | undefined;
  readonly #patienceMs: number | undefined;
  #patience: NodeJS.Timeout | undefined;
  /** Why the connection was given up; undefined where the other end has. */
  #reason: string | undefined;

  /** Rejects with a sentence that names the path and what may be done. `patienceMs`: until an answer has to be there. */
  static async connect(path: string, patienceMs?: number): Promise<ControlClient> {
    return new ControlClient(await connectTo(path), path, patienceMs);
  }

  private constructor(socket: Socket, path: string, patienceMs: number | undefined) {
    this.#socket = socket;
    this.#path = path;
    this.#patienceMs = patienceMs;
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.#onText(text));
    socket.on('error', () => {}); // 'close' follows
    socket.on('close', () => this.#settle(undefined));
  }

  /** The fields of its answer; rejects with the answer's sentence where there is an error, and when the other end goes. */
  async ask(request: Request): Promise<Readonly<Record<string, unknown>>> {
    const line = await new Promise<string | undefined>((resolve) => {
      if (this.#socket.destroyed) return resolve(undefined);
      this.#waiting = resolve;
      const patience = this.#patienceMs ?? BEGIN_MS;
      this.#wait(patience, `does not answer within ${patience / 1000} s: what was asked for is not done`);
      this.#socket.write(`${JSON.stringify(request)}\n`);
    });
    if (line === undefined) {
      throw new Error(`control socket ${this.#path}: ${this.#reason ?? 'closed without an answer'}`);
    }
    const answer = JSON.parse(line) as Answer;
    if (!answer.ok) throw new Error(answer.error);
    return answer;
  }

  close(): void {
    this.#socket.destroy();
  }

  #onText(text: string): void {
    // The blank that says that it is under way.
    if (this.#text === '' && this.#patienceMs === undefined) {
      this.#wait(ANSWER_MS, `has not answered within ${ANSWER_MS / 1000} s: it may yet be done`);
    }
    this.#text += text;
    const end = this.#text.indexOf('\n');
    if (end < 0) return;
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    this.#settle(line);
  }

  #wait(patience: number, reason: string): void {
    clearTimeout(this.#patience);
    this.#patience = setTimeout(() => {
      this.#reason = reason;
      this.#socket.destroy();
    }, patience);
  }

  #settle(line: string | undefined): void {
    clearTimeout(this.#patience);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }
}

/** Rejects with a sentence that names the path and what may be done. */
export async function connectTo(path: string): Promise<Socket> {
  const socket = connect(path);
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', (cause: NodeJS.ErrnoException) => {
      const cure = CURES[cause.code ?? ''] ?? cause.message;
      reject(new Error(`control socket ${path}: ${cure}`, { cause }));
    });
  });
  return socket;
}

/** Whether `connect` has failed because no tlspin listens there, which is certain of no other failure. */
export function isNobodyThere(error: unknown): boolean {
  const { code } = ((error as Error).cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ECONNREFUSED';
}

/** Unless said otherwise: until it is begun, and from then on until it is done: a reload may have much to read. */
const BEGIN_MS = 10_000;
const ANSWER_MS = 60_000;
const CURES: Readonly<Record<string, string>> = {
  ENOENT: 'there is none (does tlspin run, with --control or "control": { "socket": … }?)',
  ECONNREFUSED: 'nobody listens there any more (tlspin has ended)',
  EACCES: 'its permissions forbid it (use sudo, or "control": { "mode": … })',
  ENOTSOCK: 'this is no socket',
};
