/**
 * Follows the events of a running tlspin over its control socket, as they come. Reads no faster than its caller does: who
 * is too slow is let go by the other end. Knows sockets and lines; what events say is for others.
 */
import type { Socket } from 'node:net';

import { connectTo } from './client.ts';
import { LineReader } from './lines.ts';

type Fields = Readonly<Record<string, unknown>>;

export interface Subscription {
  /** What the other end has said to begin with: `run`, `last`, `missed`. */
  readonly answer: Fields;
  /** Ends when the other end does. */
  readonly events: AsyncIterable<Fields>;
  close(): void;
}

/** Rejects with a sentence where nobody is there, or it is not granted. */
export async function subscribe(path: string, request: Fields): Promise<Subscription> {
  const socket = await connectTo(path);
  socket.on('error', () => {}); // its end follows
  socket.write(`${JSON.stringify({ ...request, command: 'subscribe' })}\n`);
  const lines = linesOf(socket);
  const first = await withinPatience(lines.next(), socket);
  if (first === undefined || first.done === true) {
    socket.destroy();
    throw new Error(`control socket ${path}: closed without an answer`);
  }
  const answer = first.value;
  if (answer['ok'] === true) return { answer, events: lines, close: () => socket.destroy() };
  socket.destroy();
  throw new Error(String(answer['error']));
}

/** Undefined where it takes too long. */
async function withinPatience<T>(promise: Promise<T>, socket: Socket): Promise<T | undefined> {
  const timer = setTimeout(() => socket.destroy(), PATIENCE_MS);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
  }
}

async function* linesOf(socket: Socket): AsyncGenerator<Fields> {
  const reader = new LineReader(LONGEST_LINE);
  try {
    for await (const bytes of socket as AsyncIterable<Buffer>) {
      for (const line of reader.feed(bytes)) yield JSON.parse(line) as Fields;
      if (reader.isTooLong) return;
    }
  } catch {
    // It was let go, or the other end died in the middle: that is an end like others.
  }
}

const PATIENCE_MS = 10_000;
/** A chain of certificates in full is some 100 KiB. */
const LONGEST_LINE = 8 * 1024 * 1024;
