/**
 * One probe on the wire: a TCP connection whose every packet is marked, a handshake on it, and an end at the deadline
 * at the latest. Knows sockets; what is said on them is the handshake's.
 */
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';

import type { Endpoint } from '../judge/events.ts';
import type { ProbeFailure } from '../judge/ports.ts';
import { addressText, isIpv4 } from './address.ts';
import { Deadline } from './deadline.ts';
import type { OpenedOrigin, Origin } from './origin.ts';

/** A side of a conversation that ends by itself. Never throws. */
export interface Conversation<Outcome> {
  start(): Uint8Array;
  /** What is to be sent in answer. */
  feed(bytes: Uint8Array): Uint8Array;
  readonly outcome: Outcome | undefined;
  /** What is said before going away, write by write; undefined while that takes more than `bytes`, which came behind the outcome. */
  part?(bytes: Uint8Array): readonly Uint8Array[] | undefined;
}

export interface ConnectionFailure {
  readonly kind: 'failed';
  readonly reason: ProbeFailure;
  readonly detail: string;
}

export interface ConnectionOptions<Outcome> {
  readonly server: Endpoint;
  /** Milliseconds from now. */
  readonly timeout: number;
  readonly mark: SocketMark | undefined;
  /** Whose address it leaves with; undefined: this host's own. */
  readonly origin?: Origin | undefined;
  /** Milliseconds between being connected and the first word. */
  readonly pause?: number;
  /** In the place of the pause: told that it is connected, and how to speak. What comes ahead of that was not asked for. */
  readonly turn?: ((speak: () => void) => void) | undefined;
  readonly conversation: Conversation<Outcome>;
  /** The server has the connection; called ahead of `done`, where it is called. */
  readonly connected?: (() => void) | undefined;
  /** Called exactly once. */
  readonly done: (outcome: Outcome | ConnectionFailure) => void;
}

/** SO_MARK. */
export interface SocketMark {
  readonly value: number;
  /** 0 or an errno. */
  set(fd: number, mark: number): number;
}

/** Connects and talks until there is an outcome. The function that is returned gives up. */
export function converse<Outcome>(options: ConnectionOptions<Outcome>): () => void {
  const { server, conversation, mark, origin, turn, pause = 0 } = options;
  const socket = new Socket();
  let isOver = false;
  let isConnected = false;
  const end = (outcome: Outcome | ConnectionFailure) => {
    if (isOver) return;
    isOver = true;
    deadline.clear();
    if (!isConnected) socket.destroy();
    // Somebody waits for the answer, and nobody for this.
    try {
      options.done(outcome);
    } finally {
      if (isConnected) leave(socket, conversation);
    }
  };
  const fail = (reason: ProbeFailure, detail = '') => end({ kind: 'failed', reason, detail });
  const deadline = new Deadline(options.timeout, () => fail('timeout', isConnected ? 'handshake' : 'connect'));
  let hasSpoken = false;
  const speak = () => {
    if (isOver || hasSpoken) return;
    hasSpoken = true;
    const words = conversation.start();
    const said = Math.max(0, opened?.sayFirst?.(words) ?? 0);
    if (said < words.length) socket.write(words.subarray(said));
  };
  socket.on('connect', () => {
    isConnected = true;
    // Its own hello ahead of the client's, which waits for this: a server that serves one after the other would never come to it.
    if (turn !== undefined) turn(speak);
    else if (pause > 0) setTimeout(speak, pause);
    else speak();
    options.connected?.();
  });
  socket.on('data', (bytes) => {
    if (isOver) return;
    if (turn !== undefined && !hasSpoken) return fail('protocol', 'unasked');
    speak();
    const answer = conversation.feed(bytes);
    if (conversation.outcome !== undefined) return end(conversation.outcome);
    if (answer.length > 0) socket.write(answer);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    fail(isConnected ? 'closed' : 'unreachable', error.code ?? error.message);
  });
  socket.on('close', () => fail('closed'));
  socket.setNoDelay(true);
  socket.connect({ host: addressText(server.address), port: server.port });
  const handle = (socket as unknown as { _handle?: TcpHandle | null })._handle ?? undefined;
  const opened = origin?.open(server);
  if (opened !== undefined) socket.once('close', () => opened.forget(server));
  if (origin !== undefined && !leavesFrom(handle, opened)) fail('unreachable', 'source');
  else if (mark !== undefined && mark.value !== 0 && !isMarked(handle, server.address, mark, origin))
    fail('not-marked');
  return () => fail('stopped');
}

/**
 * Ends as one who goes away, and not with a reset for what is unread: there are servers that count those against the
 * address that they come from.
 */
function leave(socket: Socket, conversation: Conversation<unknown>): void {
  const say = (words: readonly Uint8Array[] | undefined) => {
    if (words === undefined || socket.writableEnded) return;
    for (const piece of words) socket.write(piece);
    socket.end();
  };
  const unheard = setTimeout(() => say([]), LINGER_MS / 2);
  const late = setTimeout(() => socket.destroy(), LINGER_MS);
  for (const timer of [unheard, late]) {
    socket.once('close', () => clearTimeout(timer));
    timer.unref();
  }
  socket.unref();
  socket.on('data', (bytes) => {
    if (!socket.writableEnded) say(conversation.part?.(bytes));
  });
  say(conversation.part === undefined ? [] : conversation.part(NOTHING));
}

/**
 * Marks a socket before its first packet leaves. Node connects to an address in the next turn of the loop and makes the
 * file descriptor only then; bound to no address in particular, or to its origin, it has one now.
 */
function isMarked(
  handle: TcpHandle | undefined,
  address: Uint8Array,
  mark: SocketMark,
  origin: Origin | undefined,
): boolean {
  if (handle === undefined) return false;
  const bind = () => (isIpv4(address) ? handle.bind('0.0.0.0', 0) : handle.bind6('::', 0, 0));
  const errno = origin === undefined ? bind() : 0;
  return errno === 0 && handle.fd >= 0 && mark.set(handle.fd, mark.value) === 0;
}

function leavesFrom(handle: TcpHandle | undefined, opened: OpenedOrigin | undefined): boolean {
  if (opened === undefined) return false;
  if (handle?.open(opened.fd) === 0) return true;
  closeSync(opened.fd);
  return false;
}

/** As much of Node's own TCP handle as is used. */
interface TcpHandle {
  readonly fd: number;
  /** 0 or a negative errno. */
  bind(address: string, port: number): number;
  bind6(address: string, port: number, flags: number): number;
  /** Takes a descriptor for its own; 0 or a negative errno. */
  open(fd: number): number;
}

/** For the server to take notice. */
const LINGER_MS = 1_000;
const NOTHING = new Uint8Array(0);
