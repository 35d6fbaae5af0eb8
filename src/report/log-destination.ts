/**
 * What the log's lines go to, as whoever queues them sees it: a place that is opened, and a channel there that takes some
 * octets at a time and never makes anybody wait. One file implements one kind of place. Knows no kind.
 */
import type { EveRecord } from './eve.ts';

export interface LogDestination {
  /** As messages and conditions name it, and no other destination: `/var/log/tlspin.json`, `-`, `pino-socket`. */
  readonly name: string;
  /** What else it is made of: equal ones are the same place. */
  readonly key: string;
  /** Lines that go together. */
  readonly linesAWrite: number;
  /** The record as it is written there; absent: the line of JSON. */
  readonly form?: ((record: EveRecord, line: string) => string) | undefined;
  /** Throws a sentence that names the place. `onDown`: told when the channel takes nothing any more, and why. */
  open(onDown: (why: string) => void): LogChannel;
}

export interface LogChannel {
  /** Whether what is there ends in the midst of a line. */
  readonly isTorn: boolean;
  /** Whether it takes anything now. */
  readonly isUp: boolean;
  /** Whether it is about to take some, and has not failed to: within bounds. */
  readonly isStarting?: boolean;
  /** Whole lines, from an octet of theirs on; one call at a time. `done`: how many octets are out, or why none is. */
  write(octets: Buffer, at: number, done: (error: WriteError | null, count: number) => void): void;
  /** Another channel, where the same place is elsewhere by now. Throws a sentence, and all stays as it was. */
  reopen(): LogChannel | undefined;
  /** Resolves when nothing is left of it: within bounds, whatever the other end does. What is being written may go out. */
  close(): Promise<void>;
}

/** `EAGAIN`: to be tried again soon, without a word. */
export interface WriteError {
  /** A code, or a few words. */
  readonly code?: string | undefined;
  /** These octets will never be taken. */
  readonly isFinal?: boolean | undefined;
}
