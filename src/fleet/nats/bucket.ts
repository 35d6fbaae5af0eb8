/** A bucket as a key-value store of NATS: a stream with a subject for each key. */
import type { JetStreamManager, JsMsg } from '@nats-io/jetstream';
import type { KV, KvEntry } from '@nats-io/kv';
import type { NatsConnection } from '@nats-io/transport-node';

import type { Bucket, Deleted, Entry, Subscription, WatchHandler } from '../port.ts';
import { guarded } from './errors.ts';
import { Following } from './following.ts';

export interface NatsBucketOptions {
  readonly connection: () => NatsConnection | undefined;
  readonly jsm: JetStreamManager;
  readonly store: KV;
  readonly name: string;
}

export class NatsBucket implements Bucket {
  readonly #options: NatsBucketOptions;

  constructor(options: NatsBucketOptions) {
    this.#options = options;
  }

  get(key: string): Promise<Entry | undefined> {
    return guarded(async () => {
      const entry = await this.#options.store.get(key);
      return entry === null || entry.operation !== 'PUT' ? undefined : entryOf(entry);
    });
  }

  put(key: string, value: Uint8Array): Promise<number> {
    return guarded(() => this.#options.store.put(key, value));
  }

  replace(key: string, value: Uint8Array, revision: number): Promise<number> {
    const { store } = this.#options;
    return guarded(() => (revision === 0 ? store.create(key, value) : store.update(key, value, revision)));
  }

  delete(key: string): Promise<void> {
    return guarded(() => this.#options.store.delete(key));
  }

  /** Message by message, without a consumer: one could be put on a server that has just been lost. */
  history(key: string): Promise<readonly Entry[]> {
    return guarded(async () => {
      const { jsm, name } = this.#options;
      const found: Entry[] = [];
      for (let seq = 1; found.length < MOST_VALUES;) {
        const query = { seq, next_by_subj: `${prefixOf(name)}${key}` };
        const message = await jsm.streams.getMessage(streamOf(name), query);
        if (message === null) break;
        seq = message.seq + 1;
        const of = { key, revision: message.seq, created: message.time };
        if (!isDeletion(message.header)) found.push({ ...of, value: message.data });
      }
      return found;
    });
  }

  entries(): Promise<readonly Entry[]> {
    return guarded(async () => {
      const { jsm, name } = this.#options;
      const prefix = prefixOf(name);
      const { state } = await jsm.streams.info(streamOf(name), { subjects_filter: `${prefix}>` });
      const found: Entry[] = [];
      let room = MOST_OCTETS;
      for (const subject of Object.keys(state.subjects ?? {}).slice(0, MOST_KEYS)) {
        const entry = await this.get(subject.slice(prefix.length));
        room -= entry?.value.length ?? 0;
        if (room < 0) break;
        if (entry !== undefined) found.push(entry);
      }
      return found;
    });
  }

  watch(keys: string, handler: WatchHandler): Promise<Subscription> {
    const { connection, name } = this.#options;
    const prefix = prefixOf(name);
    return guarded(() =>
      Following.begin({
        connection,
        stream: streamOf(name),
        from: () => ({ filter_subjects: `${prefix}${keys}`, deliver_policy: 'last_per_subject' }),
        onMessage: (message) => handler.onEntry(changeOf(message, prefix)),
        onCurrent: () => handler.onCurrent?.(),
      }),
    );
  }
}

function entryOf({ key, value, revision, created }: KvEntry): Entry {
  return { key, value, revision, created };
}

function changeOf(message: JsMsg, prefix: string): Entry | Deleted {
  const of = { key: message.subject.slice(prefix.length), revision: message.seq, created: new Date(message.time) };
  return isDeletion(message.headers) ? { ...of, value: null } : { ...of, value: message.data };
}

function isDeletion(headers: { get(name: string): string } | undefined): boolean {
  return ['DEL', 'PURGE'].includes(headers?.get('KV-Operation') ?? '');
}

function streamOf(bucket: string): string {
  return `KV_${bucket}`;
}

function prefixOf(bucket: string): string {
  return `$KV.${bucket}.`;
}

/** What a stranger with the servers can have one read. */
const MOST_VALUES = 256;
const MOST_KEYS = 10_000;
const MOST_OCTETS = 64 * 1024 * 1024;
