/**
 * What there is in a stream of NATS and what comes, message by message, in order: an ordered consumer, begun anew, where
 * it was, when a server or the connection is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { type ConsumerMessages, jetstream, type JsMsg, type OrderedConsumerOptions } from '@nats-io/jetstream';
import type { NatsConnection, QueuedIterator, Status } from '@nats-io/transport-node';

import { BrokerError, type Subscription } from '../port.ts';
import { patiently } from './errors.ts';

export interface FollowingOptions {
  /** As it is at the moment: one that was closed is another one afterwards. */
  readonly connection: () => NatsConnection | undefined;
  readonly stream: string;
  /** Where it begins; asked again where it has to begin anew. */
  readonly from: () => Partial<OrderedConsumerOptions>;
  /** The next one waits until it has resolved; where it throws, the next one comes all the same. */
  readonly onMessage: (message: JsMsg) => void | Promise<void>;
  /** Everything that was there at the beginning has been handed over. */
  readonly onCurrent?: () => void;
}

export class Following implements Subscription {
  readonly #options: FollowingOptions;
  #nc: NatsConnection;
  #messages: ConsumerMessages;
  /** That are there still of what was there at the beginning. */
  #pending: number;
  #isStopped = false;
  /** When it last gave a sign of life. */
  #alive = 0;

  static async begin(options: FollowingOptions): Promise<Following> {
    // A consumer may have been put on a server that was lost a moment ago: the next one need not be.
    return new Following(options, await patiently(() => open(options)));
  }

  private constructor(options: FollowingOptions, { nc, messages, pending }: Opened) {
    this.#options = options;
    this.#nc = nc;
    this.#messages = messages;
    this.#pending = pending;
    if (pending === 0) options.onCurrent?.();
    void this.#run();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#messages.close().catch(() => {});
  }

  /** Begun anew where it ends: a server was lost, or the stream itself was taken away and made again. */
  async #run(): Promise<void> {
    while (!this.#isStopped) {
      const unwatch = this.#watchOver(this.#messages);
      try {
        for await (const message of this.#messages) await this.#hand(message);
      } catch {
        // Begun anew like one that ended.
      }
      unwatch();
      await sleep(AGAIN_MS, undefined, { ref: false });
      if (this.#isStopped) return;
      const opened = await open(this.#options).catch(() => undefined);
      if (opened !== undefined) [this.#nc, this.#messages] = [opened.nc, opened.messages];
    }
  }

  /**
   * Ends it where it may be on a server that is lost: after a reconnection, or where it gives no sign of life. The client
   * itself asks such a server again and again, and waits half a minute each time. Until what it returns is called.
   */
  #watchOver(messages: ConsumerMessages): () => void {
    const end = (): void => void messages.close().catch(() => {});
    // As it is, though it is not declared: otherwise it could not be stopped.
    const connection = this.#nc.status() as QueuedIterator<Status>;
    void (async () => {
      for await (const { type } of connection) if (type === 'reconnect') end();
    })();
    this.#alive = performance.now();
    void (async () => {
      for await (const { type } of messages.status()) if (type === 'heartbeat') this.#alive = performance.now();
    })();
    const timer = setInterval(() => performance.now() - this.#alive > SILENCE_MS && end(), HEARTBEAT_MS).unref();
    return () => {
      clearInterval(timer);
      connection.stop();
    };
  }

  async #hand(message: JsMsg): Promise<void> {
    if (this.#isStopped) return;
    const { onMessage, onCurrent } = this.#options;
    try {
      await onMessage(message);
    } catch {
      // Whoever is handed it tells what is wrong with it.
    }
    this.#alive = performance.now();
    if (this.#pending > 0 && --this.#pending === 0) onCurrent?.();
  }
}

interface Opened {
  readonly nc: NatsConnection;
  readonly messages: ConsumerMessages;
  readonly pending: number;
}

async function open({ connection, stream, from }: FollowingOptions): Promise<Opened> {
  const nc = connection();
  if (nc === undefined) throw new BrokerError('unreachable', 'not connected');
  const js = jetstream(nc, { timeout: OPENING_MS });
  const consumer = await js.consumers.get(stream, from());
  const { num_pending: pending } = await consumer.info(true);
  return { nc, messages: await consumer.consume({ max_messages: AT_ONCE, idle_heartbeat: HEARTBEAT_MS }), pending };
}

const OPENING_MS = 2_000;
const AGAIN_MS = 1_000;
const AT_ONCE = 100;
const HEARTBEAT_MS = 5_000;
const SILENCE_MS = 12_000;
