/**
 * What gateways need of whatever carries their messages: buckets of keys and values, durable streams, questions and
 * answers, and whether it can be reached. One engine stands behind it (nats/), another could; tests have one in memory.
 * Whoever carries is not trusted: what comes from here is octets that anybody may have written, to be bounded and
 * checked by whoever reads them. Knows no format of theirs.
 *
 * Keys and topics are words of letters, digits, `-` and `_`, with dots between. Everything rejects with a `BrokerError`.
 */

/** One connection. It comes back by itself until it is closed; subscriptions go on where they were. */
export interface Broker {
  /** Made where there is none yet. */
  bucket(name: string, options: BucketOptions): Promise<Bucket>;
  /** Made where there is none yet. */
  stream(name: string, options: StreamOptions): Promise<Stream>;
  /** Each question to the topic is answered; undefined: by silence. An answer that rejects is silence too. */
  answer(topic: string, answer: (question: Uint8Array) => Promise<Uint8Array | undefined>): Subscription;
  /** The first answer that comes, of whoever answers at the topic. */
  ask(topic: string, question: Uint8Array, patienceMs: number): Promise<Uint8Array>;
  /** The answers of all who answer at the topic in that time; `most` of them at the most, and then no longer awaited. */
  askAll(topic: string, question: Uint8Array, patienceMs: number, most: number): Promise<readonly Uint8Array[]>;
  readonly connection: ConnectionState;
  /** Told of each change. */
  onConnection(listener: (state: ConnectionState) => void): void;
  /** Resolves when what was published has gone, or cannot go. Nothing is called afterwards. */
  close(): Promise<void>;
}

export interface ConnectionState {
  readonly isConnected: boolean;
  /** Of what it is connected to, or why it is not, in a few words. */
  readonly detail: string;
}

export interface Subscription {
  /** Nothing is handed over afterwards. */
  stop(): Promise<void>;
}

export interface BucketOptions {
  /** Values that are kept of each key, 1 to 64. */
  readonly history: number;
}

export interface Bucket {
  /** Undefined where there is none, or it was deleted. */
  get(key: string): Promise<Entry | undefined>;
  /** Whatever was there. The new revision. */
  put(key: string, value: Uint8Array): Promise<number>;
  /** Only where `revision` is still the latest of the key, 0 where there is none; rejects with `conflict` otherwise. */
  replace(key: string, value: Uint8Array, revision: number): Promise<number>;
  delete(key: string): Promise<void>;
  /** The values that are kept of a key, the oldest first. */
  history(key: string): Promise<readonly Entry[]>;
  /** The latest value of each key. */
  entries(): Promise<readonly Entry[]>;
  /**
   * The latest value of each key that fits, then each change, in order, one after the other: the next waits until the
   * handler has resolved. What was missed while the connection was lost comes afterwards, the latest value of a key at
   * least. `keys`: one as it is, or `word.>`, or `>` for all.
   */
  watch(keys: string, handler: WatchHandler): Promise<Subscription>;
}

export interface WatchHandler {
  /** A handler that throws is the end of nothing; `value` is null where the key was deleted. */
  onEntry(entry: Entry | Deleted): void | Promise<void>;
  /** Everything that was there at the beginning has been handed over. */
  onCurrent?(): void;
}

export interface Entry {
  readonly key: string;
  readonly value: Uint8Array;
  /** Counts changes of the whole bucket, from 1. */
  readonly revision: number;
  /** By the carrier's clock. */
  readonly created: Date;
}

export interface Deleted extends Omit<Entry, 'value'> {
  readonly value: null;
}

export interface StreamOptions {
  /** What is beyond goes, the oldest first. */
  readonly maxAgeMs: number;
  readonly maxBytes: number;
  /** For as long, a message with the id of one before it is not kept again. */
  readonly duplicatesMs: number;
}

export interface Stream {
  /** Resolves when it is kept durably. `id`: with which sending it again does no harm. */
  publish(message: Uint8Array, id: string): Promise<void>;
  /** From there on, in order, one after the other: the next waits until the handler has resolved. */
  consume(from: Position, handler: StreamHandler): Promise<Subscription>;
  /** How much there is. */
  size(): Promise<{ readonly messages: number; readonly last: number }>;
}

export interface StreamHandler {
  onMessage(message: StreamMessage): void | Promise<void>;
  /** Everything that was there at the beginning has been handed over. */
  onCurrent?(): void;
}

/** Behind a sequence number (0: from the beginning), what comes from now on, or from a time on. */
export type Position = { readonly after: number } | { readonly start: 'new' } | { readonly since: Date };

export interface StreamMessage {
  /** Counts from 1; has holes where messages are gone. */
  readonly sequence: number;
  readonly message: Uint8Array;
  readonly id: string;
  readonly created: Date;
}

/**
 * `unreachable`: try again later; `conflict`: somebody else was faster; `forbidden`: to this gateway, by the carrier;
 * `missing`: nobody answers, or it is not there; `too-large`: for the carrier; `failed`: otherwise.
 */
export type BrokerFault = 'unreachable' | 'conflict' | 'forbidden' | 'missing' | 'too-large' | 'failed';

export class BrokerError extends Error {
  readonly fault: BrokerFault;

  constructor(fault: BrokerFault, message: string, cause?: unknown) {
    super(message, { cause });
    this.name = 'BrokerError';
    this.fault = fault;
  }
}
