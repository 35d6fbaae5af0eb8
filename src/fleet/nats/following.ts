/**
 * What there is in a stream of NATS and what comes, message by message, in order: an ordered consumer, which the client
 * makes anew, where it was, when a server or the connection is lost.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ConsumerMessages, JetStreamClient, JsMsg, OrderedConsumerOptions } from '@nats-io/jetstream';

import type { Subscription } from '../port.ts';
import { brokerError } from './errors.ts';

export interface FollowingOptions {
  readonly js: JetStreamClient;
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
  #messages: ConsumerMessages;
  /** That are there still of what was there at the beginning. */
  #pending: number;
  #isStopped = false;

  static async begin(options: FollowingOptions): Promise<Following> {
    for (let left = ATTEMPTS; ; left--) {
      try {
        return new Following(options, await open(options));
      } catch (cause) {
        // A consumer may have been put on a server that was lost a moment ago: the next one need not be.
        if (left === 1 || brokerError(cause).fault !== 'unreachable') throw cause;
      }
    }
  }

  private constructor(options: FollowingOptions, { messages, pending }: Opened) {
    this.#options = options;
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
      void this.#watchOver(this.#messages);
      try {
        for await (const message of this.#messages) await this.#hand(message);
      } catch {
        // Begun anew like one that ended.
      }
      await sleep(AGAIN_MS, undefined, { ref: false });
      if (this.#isStopped) return;
      const opened = await open(this.#options).catch(() => undefined);
      if (opened !== undefined) this.#messages = opened.messages;
    }
  }

  /** One that was on a server that is lost says nothing any more, and is not always made anew by the client. */
  async #watchOver(messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) {
      if (type === 'heartbeats_missed') return void messages.close().catch(() => {});
    }
  }

  async #hand(message: JsMsg): Promise<void> {
    if (this.#isStopped) return;
    const { onMessage, onCurrent } = this.#options;
    try {
      await onMessage(message);
    } catch {
      // Whoever is handed it tells what is wrong with it.
    }
    if (this.#pending > 0 && --this.#pending === 0) onCurrent?.();
  }
}

interface Opened {
  readonly messages: ConsumerMessages;
  readonly pending: number;
}

async function open({ js, stream, from }: FollowingOptions): Promise<Opened> {
  const consumer = await js.consumers.get(stream, from());
  const { num_pending: pending } = await consumer.info(true);
  return { messages: await consumer.consume({ max_messages: AT_ONCE, idle_heartbeat: HEARTBEAT_MS }), pending };
}

const ATTEMPTS = 4;
const AGAIN_MS = 2_000;
const AT_ONCE = 100;
const HEARTBEAT_MS = 5_000;
