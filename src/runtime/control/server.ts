/**
 * The control socket: one JSON request a line in, one JSON answer a line out, in the order of the requests. Whoever
 * sends nonsense, too much, too slowly, or never reads, loses the connection and disturbs nobody: per client one request
 * is under way, and while its answer is not taken nothing more is read. What requests mean is commands.ts.
 *
 *   connect ─▶ who? ─▶ idle ──line──▶ answering ──answer taken──▶ idle, or the next line that waits
 *               │        └─ a line not ended in time, or too long ─▶ one last answer, closed
 *               └─ not allowed, or too many ─▶ one last answer, closed
 */
import { existsSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';

import { jsonText } from '../../bytes/invisible.ts';
import { parseJson } from '../../pins/document/nesting.ts';
import type { NativeBinding, PeerCredentials } from '../../source/binding.ts';
import { clearSocketPath } from '../../source/socket-path.ts';
import { LineReader } from './lines.ts';

export type Answer =
  ({ readonly ok: true } & Readonly<Record<string, unknown>>) | { readonly ok: false; readonly error: string };

/** The connection becomes somebody else's, who answers and ends it; the blank that it is under way was sent. */
export interface HandedOn {
  readonly handOn: (socket: Socket) => void;
}

/** Never throws what is no Error; whatever it throws becomes the error of an answer. */
export type AnswerRequest = (
  request: Readonly<Record<string, unknown>>,
  peer: PeerCredentials,
) => Promise<Answer | HandedOn>;

export interface ControlServerOptions {
  readonly path: string;
  /** Permissions of the socket, as chmod takes them. */
  readonly mode: number;
  readonly answer: AnswerRequest;
  readonly binding: Pick<NativeBinding, 'peerCredentials'>;
  readonly bounds?: Partial<ControlBounds>;
}

export interface ControlBounds {
  /** Clients at a time. */
  readonly clients: number;
  /** Octets of a request. */
  readonly requestOctets: number;
  /** Milliseconds in which a request that was begun has to be ended, and an answer taken. */
  readonly patience: number;
  /** Milliseconds without a request after which a client is sent away. */
  readonly idle: number;
}

export class ControlServer {
  readonly #options: ControlServerOptions;
  readonly #bounds: ControlBounds;
  readonly #server: Server;
  readonly #clients = new Set<Client>();

  constructor(options: ControlServerOptions) {
    this.#options = options;
    this.#bounds = { ...BOUNDS, ...options.bounds };
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#onSocket(socket));
  }

  /** Rejects with a sentence where the path is taken or may not be made. */
  async start(): Promise<void> {
    const { path, mode } = this.#options;
    await clearSocketPath(path, 'control socket');
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', (cause: NodeJS.ErrnoException) =>
        reject(
          new Error(`control socket ${path}: cannot be made (${cause.code})${cureFor(cause, path)}`, {
            cause,
          }),
        ),
      );
      // It is made before `listen` returns, and nobody connects who may not, not even for the moment before a chmod.
      const before = process.umask(0o777 & ~mode);
      this.#server.listen(path, resolve);
      process.umask(before);
    });
    this.#server.on('error', () => {}); // an accept that fails, such as EMFILE, concerns one client
  }

  /** Takes nobody any more; answers that are under way are still given, for a short while. */
  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const client of [...this.#clients]) client.finish();
    await closed;
  }

  /** Somebody else may listen there now. Who is connected is sent away; a connection that was handed on stays. */
  leave(): void {
    void this.stop();
  }

  #onSocket(socket: Socket): void {
    socket.on('error', () => {}); // 'close' follows
    const refusal = this.#clients.size >= this.#bounds.clients ? 'too many clients: try again later' : undefined;
    const peer = refusal === undefined ? this.#peerOf(socket) : undefined;
    if (peer === undefined) return dismiss(socket, refusal ?? 'not allowed: this socket is for root and its owner');
    const client = new Client(socket, peer, this.#options.answer, this.#bounds, () => this.#clients.delete(client));
    this.#clients.add(client);
    socket.once('close', () => this.#clients.delete(client));
  }

  /** Undefined: nobody who may ask. Root and our own user may; of others the kernel has asked the socket's mode. */
  #peerOf(socket: Socket): PeerCredentials | undefined {
    const { fd } = (socket as unknown as { _handle: { readonly fd: number } | null })._handle ?? { fd: -1 };
    try {
      const peer = this.#options.binding.peerCredentials(fd);
      const isOpenToOthers = (this.#options.mode & 0o022) !== 0;
      return peer.uid === 0 || peer.uid === process.geteuid!() || isOpenToOthers ? peer : undefined;
    } catch {
      return undefined; // it is gone already
    }
  }
}

class Client {
  readonly #socket: Socket;
  readonly #peer: PeerCredentials;
  readonly #answer: AnswerRequest;
  readonly #onHandedOn: () => void;
  readonly #bounds: ControlBounds;
  readonly #reader: LineReader;
  readonly #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isBusy = false;
  #isEnding = false;

  constructor(
    socket: Socket,
    peer: PeerCredentials,
    answer: AnswerRequest,
    bounds: ControlBounds,
    onHandedOn: () => void,
  ) {
    this.#onHandedOn = onHandedOn;
    this.#socket = socket;
    this.#peer = peer;
    this.#answer = answer;
    this.#bounds = bounds;
    this.#reader = new LineReader(bounds.requestOctets);
    socket.on('data', (bytes) => this.#onData(bytes));
    socket.on('end', () => this.#onEnd());
    socket.once('close', () => clearTimeout(this.#timer));
    this.#await();
  }

  /** What is under way is answered, nothing else. */
  finish(): void {
    this.#isEnding = true;
    this.#lines.length = 0;
    if (!this.#isBusy) this.#socket.end();
    this.#limit(FAREWELL_MS);
  }

  #onData(bytes: Buffer): void {
    if (this.#isEnding) return;
    const wasPartial = this.#reader.isPartial;
    this.#lines.push(...this.#reader.feed(bytes));
    if (this.#reader.isTooLong) {
      this.#lines.length = 0;
      return this.#dismiss(`a request has ${this.#bounds.requestOctets} octets at the most`);
    }
    if (this.#lines.length > 0) this.#next();
    // From its first octet on, however often another one follows.
    else if (!wasPartial && this.#reader.isPartial) this.#limit(this.#bounds.patience);
  }

  /** No more requests come; a last one may lack its newline. */
  #onEnd(): void {
    const last = this.#reader.end();
    if (last !== undefined && !this.#isEnding) this.#lines.push(last);
    this.#isEnding = true;
    this.#next();
  }

  #next(): void {
    if (this.#isBusy) return;
    const line = this.#lines.shift();
    if (line !== undefined) {
      if (line.trim() === '') return this.#next();
      this.#isBusy = true;
      this.#socket.pause();
      clearTimeout(this.#timer);
      void this.#respond(line);
    } else if (this.#isEnding) {
      this.#socket.end();
      this.#limit(FAREWELL_MS);
    } else {
      this.#await();
    }
  }

  #await(): void {
    this.#socket.resume();
    this.#limit(this.#reader.isPartial ? this.#bounds.patience : this.#bounds.idle);
  }

  async #respond(line: string): Promise<void> {
    if (!(await this.#isThere())) return;
    const answer = await this.#answerOf(line);
    if (this.#socket.destroyed) return;
    if (isHandedOn(answer)) return this.#handOn(answer);
    // Whoever does not take it is not waited for.
    this.#limit(this.#isEnding ? FAREWELL_MS : this.#bounds.patience);
    this.#socket.write(`${jsonText(answer)}\n`, () => {
      this.#isBusy = false;
      this.#next();
    });
  }

  /**
   * Whoever has given up is not to have done what they asked for. Of one that is gone only writing tells: a blank, which
   * says that the answer is under way, and which JSON may begin with.
   */
  #isThere(): Promise<boolean> {
    this.#limit(this.#bounds.patience);
    return new Promise((resolve) => {
      this.#socket.write(' ', (error) => {
        clearTimeout(this.#timer);
        resolve(error === null || error === undefined);
      });
    });
  }

  #handOn({ handOn }: HandedOn): void {
    clearTimeout(this.#timer);
    this.#socket.removeAllListeners('data').removeAllListeners('end');
    this.#onHandedOn();
    handOn(this.#socket);
  }

  async #answerOf(line: string): Promise<Answer | HandedOn> {
    try {
      const request = parseJson(line);
      if (typeof request !== 'object' || request === null || Array.isArray(request)) {
        return { ok: false, error: 'a request is an object such as {"command":"status"}' };
      }
      return await this.#answer(request as Readonly<Record<string, unknown>>, this.#peer);
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      return { ok: false, error: error instanceof SyntaxError ? `not JSON: ${text}` : text };
    }
  }

  #limit(millis: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#socket.destroy(), millis);
    this.#timer.unref();
  }

  #dismiss(error: string): void {
    this.#isEnding = true;
    clearTimeout(this.#timer);
    dismiss(this.#socket, error);
  }
}

function isHandedOn(answer: Answer | HandedOn): answer is HandedOn {
  return typeof (answer as Partial<HandedOn>).handOn === 'function';
}

function dismiss(socket: Socket, error: string): void {
  // What is sent and not read would turn the end into a reset, and the reason would be lost.
  socket.removeAllListeners('data').resume();
  socket.end(`${JSON.stringify({ ok: false, error })}\n`);
  const timer = setTimeout(() => socket.destroy(), FAREWELL_MS);
  timer.unref();
  socket.once('close', () => clearTimeout(timer));
}

/** Node says EACCES of a folder that is not there, too. */
function cureFor({ code }: NodeJS.ErrnoException, path: string): string {
  if (code !== 'EACCES' && code !== 'ENOENT') return '';
  const folder = dirname(path);
  return existsSync(folder)
    ? `: the user that tlspin runs as has to be allowed to write to ${folder}`
    : `: its folder is not there: sudo install -d ${folder}, for the user that tlspin runs as`;
}

const BOUNDS: ControlBounds = { clients: 32, requestOctets: 1024 * 1024, patience: 10_000, idle: 300_000 };
const FAREWELL_MS = 1_000;
