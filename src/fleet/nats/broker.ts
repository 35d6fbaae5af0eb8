/**
 * The fleet's carrier as NATS JetStream has it: buckets are its key-value stores, streams its streams, questions go over
 * its subjects. The connection is made again for as long as it takes. Knows no format of what it carries.
 */
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { connect, credsAuthenticator, type NatsConnection, nkeyAuthenticator } from '@nats-io/transport-node';

import { atMost } from '../at-most.ts';
import { type Broker, BrokerError, type Bucket, type BucketOptions, type ConnectionState } from '../port.ts';
import type { Stream, StreamOptions, Subscription } from '../port.ts';
import { NatsBucket } from './bucket.ts';
import { brokerError, guarded, patiently } from './errors.ts';
import { NatsStream } from './stream.ts';

export interface NatsOptions {
  /** As `nats://HOST:PORT` or `tls://HOST:PORT`. */
  readonly servers: readonly string[];
  /** As servers see it. */
  readonly name: string;
  /** The text of a file of credentials, or the seed of an nkey. */
  readonly credentials?: string | undefined;
  readonly nkey?: string | undefined;
  /** In PEM. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

export class NatsBroker implements Broker {
  readonly #options: NatsOptions;
  readonly #listeners: ((state: ConnectionState) => void)[] = [];
  readonly #answers = new Set<Answering>();
  #connection: NatsConnection | undefined;
  #state: ConnectionState = { isConnected: false, detail: 'not connected yet' };
  #isClosed = false;
  #retry: NodeJS.Timeout | undefined;

  /** Connects, and goes on trying to. */
  constructor(options: NatsOptions) {
    this.#options = options;
    void this.#connect();
  }

  get connection(): ConnectionState {
    return this.#state;
  }

  onConnection(listener: (state: ConnectionState) => void): void {
    this.#listeners.push(listener);
  }

  bucket(name: string, options: BucketOptions): Promise<Bucket> {
    return this.#with(async ({ js, jsm }) => {
      const store = await patiently(() => replicated((replicas) => new Kvm(js).create(name, { ...options, replicas })));
      return new NatsBucket({ connection: () => this.#connection, jsm, store, name });
    });
  }

  stream(name: string, options: StreamOptions): Promise<Stream> {
    return this.#with(async ({ js, jsm }) => {
      const stream = new NatsStream({ connection: () => this.#connection, js, jsm, name });
      await patiently(() => replicated((replicas) => stream.make(options, replicas)));
      return stream;
    });
  }

  answer(topic: string, answer: Answering['answer']): Subscription {
    const answering: Answering = { topic, answer };
    this.#answers.add(answering);
    if (this.#connection !== undefined) subscribe(this.#connection, answering);
    return {
      stop: async () => {
        this.#answers.delete(answering);
        answering.stop?.();
      },
    };
  }

  ask(topic: string, question: Uint8Array, patienceMs: number): Promise<Uint8Array> {
    return this.#with(async ({ nc }) => {
      const answer = await nc.request(subjectOf(topic), question, { timeout: patienceMs });
      return answer.data;
    });
  }

  askAll(topic: string, question: Uint8Array, patienceMs: number, most: number): Promise<readonly Uint8Array[]> {
    return this.#with(async ({ nc }) => {
      const options = { strategy: 'count', maxWait: patienceMs, maxMessages: most } as const;
      const answers: Uint8Array[] = [];
      try {
        for await (const { data } of await nc.requestMany(subjectOf(topic), question, options)) answers.push(data);
      } catch (cause) {
        const error = brokerError(cause);
        if (error.fault !== 'missing') throw error;
      }
      return answers;
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#retry);
    const connection = this.#connection;
    this.#connection = undefined;
    if (connection === undefined || connection.isClosed()) return;
    // A server that does not answer any more would have it wait until it is found to be lost.
    const drained = this.#state.isConnected ? connection.drain().catch(() => {}) : Promise.resolve();
    await atMost(DRAIN_MS, drained);
    await connection.close().catch(() => {});
  }

  async #connect(): Promise<void> {
    try {
      const options = connectOptions(this.#options);
      // One that persists never says why it does not come about.
      const attempt = await connect({ ...options, reconnect: false, timeout: PERSISTENT.timeout });
      await attempt.close();
      if (this.#isClosed) return;
      const nc = await connect({ ...options, ...PERSISTENT });
      if (this.#isClosed) return void (await nc.close());
      this.#connection = nc;
      for (const answering of this.#answers) subscribe(nc, answering);
      this.#become({ isConnected: true, detail: nc.getServer() });
      for await (const status of nc.status()) this.#onStatus(nc, status);
      if (!this.#isClosed) this.#again('the connection was closed');
    } catch (cause) {
      if (!this.#isClosed) this.#again(brokerError(cause).message);
    }
  }

  #again(why: string): void {
    this.#connection = undefined;
    this.#become({ isConnected: false, detail: why });
    this.#retry = setTimeout(() => void this.#connect(), RETRY_MS).unref();
  }

  #onStatus(nc: NatsConnection, status: { readonly type: string; readonly error?: unknown }): void {
    if (status.type === 'reconnect') this.#become({ isConnected: true, detail: nc.getServer() });
    if (status.type === 'disconnect') this.#become({ isConnected: false, detail: 'the connection was lost' });
    if (status.type === 'error' && !this.#state.isConnected) {
      this.#become({ isConnected: false, detail: brokerError(status.error).message });
    }
  }

  #become(state: ConnectionState): void {
    if (state.isConnected === this.#state.isConnected && state.detail === this.#state.detail) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  #with<T>(work: (on: Connected) => Promise<T>): Promise<T> {
    return guarded(async () => {
      const nc = this.#connection;
      if (nc === undefined || !this.#state.isConnected) throw new BrokerError('unreachable', this.#state.detail);
      const options = { timeout: REQUEST_MS };
      return work({ nc, js: jetstream(nc, options), jsm: await jetstreamManager(nc, { ...options, checkAPI: false }) });
    });
  }
}

interface Connected {
  readonly nc: NatsConnection;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
}

interface Answering {
  readonly topic: string;
  readonly answer: (question: Uint8Array) => Promise<Uint8Array | undefined>;
  stop?: () => void;
}

function subscribe(nc: NatsConnection, answering: Answering): void {
  const subscription = nc.subscribe(subjectOf(answering.topic), {
    callback: (error, message) => {
      if (error !== null || message.reply === undefined || message.reply === '') return;
      void answering.answer(message.data).then(
        (octets) => void (octets !== undefined && message.respond(octets)),
        () => {},
      );
    },
  });
  answering.stop = () => subscription.unsubscribe();
}

function connectOptions({ servers, name, credentials, nkey, tls }: NatsOptions) {
  const encoder = new TextEncoder();
  return {
    servers: [...servers],
    name,
    ...(credentials === undefined ? {} : { authenticator: credsAuthenticator(encoder.encode(credentials)) }),
    ...(nkey === undefined ? {} : { authenticator: nkeyAuthenticator(encoder.encode(nkey.trim())) }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** As many copies as survive the loss of a server, or one where there is one server. */
async function replicated<T>(make: (replicas: number) => Promise<T>): Promise<T> {
  try {
    return await make(REPLICAS);
  } catch (cause) {
    if ((cause as { code?: unknown }).code !== NOT_CLUSTERED) throw cause;
    return make(1);
  }
}

function subjectOf(topic: string): string {
  return `tlspin.${topic}`;
}

const PERSISTENT = {
  maxReconnectAttempts: -1,
  ignoreAuthErrorAbort: true,
  reconnectTimeWait: 1_000,
  timeout: 5_000,
  pingInterval: 10_000,
};
const DRAIN_MS = 1_000;
const RETRY_MS = 2_000;
const REQUEST_MS = 5_000;
const REPLICAS = 3;
/** JetStream's own number of "replicas > 1 not supported in non-clustered mode". */
const NOT_CLUSTERED = 10_074;
