/** A stream of NATS with one subject. */
import {
  DeliverPolicy,
  type JetStreamClient,
  type JetStreamManager,
  type OrderedConsumerOptions,
} from '@nats-io/jetstream';
import { nanos, type NatsConnection } from '@nats-io/transport-node';

import type { Position, Stream, StreamHandler, StreamOptions, Subscription } from '../port.ts';
import { guarded } from './errors.ts';
import { Following } from './following.ts';

export class NatsStream implements Stream {
  readonly #options: NatsStreamOptions;

  constructor(options: NatsStreamOptions) {
    this.#options = options;
  }

  /** Unless it is there. */
  async make({ maxAgeMs, maxBytes, duplicatesMs }: StreamOptions, replicas: number): Promise<void> {
    const { jsm, name } = this.#options;
    try {
      await jsm.streams.info(name);
    } catch (error) {
      if ((error as { code?: unknown }).code !== NO_STREAM) throw error;
      const kept = { max_age: nanos(maxAgeMs), max_bytes: maxBytes, duplicate_window: nanos(duplicatesMs) };
      await jsm.streams.add({ name, subjects: [this.#subject], num_replicas: replicas, ...kept });
    }
  }

  publish(message: Uint8Array, id: string): Promise<void> {
    return guarded(async () => void (await this.#options.js.publish(this.#subject, message, { msgID: id })));
  }

  consume(from: Position, handler: StreamHandler): Promise<Subscription> {
    const { connection, name } = this.#options;
    let last: number | undefined;
    return guarded(() =>
      Following.begin({
        connection,
        stream: name,
        from: () => startOf(last === undefined ? from : { after: last }),
        onMessage: ({ seq, data, headers, time }) => {
          last = seq;
          return handler.onMessage({
            sequence: seq,
            message: data,
            id: headers?.get('Nats-Msg-Id') ?? '',
            created: new Date(time),
          });
        },
        onCurrent: () => handler.onCurrent?.(),
      }),
    );
  }

  size(): Promise<{ readonly messages: number; readonly last: number }> {
    return guarded(async () => {
      const { state } = await this.#options.jsm.streams.info(this.#options.name);
      return { messages: state.messages, last: state.last_seq };
    });
  }

  get #subject(): string {
    return `tlspin.stream.${this.#options.name}`;
  }
}

interface NatsStreamOptions {
  readonly connection: () => NatsConnection | undefined;
  readonly js: JetStreamClient;
  readonly jsm: JetStreamManager;
  readonly name: string;
}

function startOf(from: Position): Partial<OrderedConsumerOptions> {
  if ('after' in from) return { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from.after + 1 };
  if ('since' in from) {
    return { deliver_policy: DeliverPolicy.StartTime, opt_start_time: from.since.toISOString() };
  }
  return { deliver_policy: DeliverPolicy.New };
}

const NO_STREAM = 10_059;
