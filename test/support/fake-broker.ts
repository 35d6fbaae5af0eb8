/**
 * A carrier of the fleet's messages in memory: as many connections as are asked for, each of which can be cut off, healed
 * and slowed down. Counts messages and octets on their way, for whoever wants to know what a change costs.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import {
  type Broker,
  BrokerError,
  type Bucket,
  type ConnectionState,
  type Deleted,
  type Entry,
  type Position,
  type Stream,
  type StreamHandler,
  type StreamMessage,
  type StreamOptions,
  type Subscription,
  type WatchHandler,
} from '../../src/fleet/port.ts';

export class FakeCarrier {
  readonly #buckets = new Map<string, Kept>();
  readonly #streams = new Map<string, Flow>();
  readonly connections = new Set<FakeBroker>();
  messages = 0;
  octets = 0;

  connect(): FakeBroker {
    const broker = new FakeBroker(this);
    this.connections.add(broker);
    return broker;
  }

  bucket(name: string, history: number): Kept {
    const bucket = this.#buckets.get(name) ?? new Kept(history);
    this.#buckets.set(name, bucket);
    return bucket;
  }

  stream(name: string, options: StreamOptions): Flow {
    const stream = this.#streams.get(name) ?? new Flow(options);
    this.#streams.set(name, stream);
    return stream;
  }

  /** What buckets have is gone, as when the disk of the only server is. */
  lose(): void {
    for (const kept of this.#buckets.values()) kept.clear();
  }

  count(octets: number): void {
    this.messages++;
    this.octets += octets;
  }
}

export class FakeBroker implements Broker {
  readonly carrier: FakeCarrier;
  readonly #listeners: ((state: ConnectionState) => void)[] = [];
  readonly #answers = new Map<string, Set<(question: Uint8Array) => Promise<Uint8Array | undefined>>>();
  readonly #followers = new Set<Follower>();
  connection: ConnectionState = { isConnected: true, detail: 'in memory' };
  /** Of every message, either way. */
  delayMs = 0;

  constructor(carrier: FakeCarrier) {
    this.carrier = carrier;
  }

  cutOff(): void {
    this.#become({ isConnected: false, detail: 'cut off' });
  }

  heal(): void {
    this.#become({ isConnected: true, detail: 'in memory' });
    for (const follower of this.#followers) follower.wake();
  }

  async bucket(name: string, { history }: { readonly history: number }): Promise<Bucket> {
    await this.reach(0);
    const kept = this.carrier.bucket(name, history);
    const append = async (key: string, value: Uint8Array | null, expected?: number): Promise<number> => {
      await this.reach(value?.length ?? 0);
      const latest = kept.latest(key);
      const revision = latest === undefined || latest.value === null ? 0 : latest.revision;
      if (expected !== undefined && expected !== revision) {
        throw new BrokerError('conflict', `"${key}" is at revision ${revision}, not ${expected}`);
      }
      return kept.append(key, value);
    };
    return {
      get: async (key) => {
        await this.reach(0);
        const entry = kept.latest(key);
        this.carrier.count(entry?.value?.length ?? 0);
        return entry !== undefined && isValue(entry) ? entry : undefined;
      },
      put: (key, value) => append(key, value),
      replace: (key, value, revision) => append(key, value, revision),
      delete: async (key) => void (await append(key, null)),
      history: async (key) => {
        await this.reach(0);
        return kept.all.filter((entry) => entry.key === key).filter(isValue);
      },
      entries: async () => {
        await this.reach(0);
        return kept.keys.map((key) => kept.latest(key)!).filter(isValue);
      },
      watch: async (keys, handler) => {
        await this.reach(0);
        return this.#follow(kept, new Watching(kept, keys, handler));
      },
    };
  }

  async stream(name: string, options: StreamOptions): Promise<Stream> {
    await this.reach(0);
    const flow = this.carrier.stream(name, options);
    return {
      publish: async (message, id) => {
        await this.reach(message.length);
        flow.append(message, id);
      },
      consume: async (from, handler) => {
        await this.reach(0);
        return this.#follow(flow, new Consuming(flow, from, handler));
      },
      size: async () => {
        await this.reach(0);
        return { messages: flow.kept.length, last: flow.last };
      },
    };
  }

  answer(topic: string, answer: (question: Uint8Array) => Promise<Uint8Array | undefined>): Subscription {
    const answers = this.#answers.get(topic) ?? new Set();
    this.#answers.set(topic, answers.add(answer));
    return { stop: async () => void answers.delete(answer) };
  }

  async ask(topic: string, question: Uint8Array, patienceMs: number): Promise<Uint8Array> {
    const [first] = await this.askAll(topic, question, patienceMs, 1);
    if (first === undefined) throw new BrokerError('missing', `nobody answers at "${topic}"`);
    return first;
  }

  async askAll(topic: string, question: Uint8Array, patienceMs: number, most: number): Promise<readonly Uint8Array[]> {
    await this.reach(question.length);
    const answers: Uint8Array[] = [];
    const asked = [...this.carrier.connections].map(async (broker) => {
      for (const answer of await broker.answersTo(topic, question)) {
        if (answers.length < most) answers.push(answer);
      }
    });
    await Promise.race([Promise.all(asked), sleep(patienceMs, undefined, { ref: false })]);
    return [...answers];
  }

  async answersTo(topic: string, question: Uint8Array): Promise<readonly Uint8Array[]> {
    if (!this.connection.isConnected) return [];
    const given = [...(this.#answers.get(topic) ?? [])].map(async (answer) => {
      this.carrier.count(question.length);
      await this.#delay();
      const octets = await answer(question).catch(() => undefined);
      if (octets !== undefined) this.carrier.count(octets.length);
      return octets;
    });
    return (await Promise.all(given)).filter((octets) => octets !== undefined);
  }

  onConnection(listener: (state: ConnectionState) => void): void {
    this.#listeners.push(listener);
  }

  async close(): Promise<void> {
    this.carrier.connections.delete(this);
    for (const follower of this.#followers) follower.stop();
    this.#answers.clear();
  }

  /** Counts what goes to the carrier, which takes its time; rejects where it cannot be reached. */
  async reach(octets: number): Promise<void> {
    await this.#delay();
    if (!this.connection.isConnected) throw new BrokerError('unreachable', this.connection.detail);
    this.carrier.count(octets);
  }

  async #delay(): Promise<void> {
    if (this.delayMs > 0) await sleep(this.delayMs);
  }

  #become(state: ConnectionState): void {
    if (state.isConnected === this.connection.isConnected) return;
    this.connection = state;
    for (const listener of this.#listeners) listener(state);
  }

  #follow(source: Source, following: Following): Subscription {
    const follower = new Follower(this, following);
    this.#followers.add(follower);
    const wake = () => follower.wake();
    source.followers.add(wake);
    wake();
    return {
      stop: async () => {
        source.followers.delete(wake);
        this.#followers.delete(follower);
        follower.stop();
      },
    };
  }
}

interface Source {
  readonly followers: Set<() => void>;
}

/** Hands over one thing at a time, and the next one that there is: `next` is undefined where there is none now. */
interface Following {
  next(): { readonly octets: number; readonly hand: () => void | Promise<void> } | undefined;
}

class Follower {
  readonly #broker: FakeBroker;
  readonly #following: Following;
  #isRunning = false;
  #isStopped = false;

  constructor(broker: FakeBroker, following: Following) {
    this.#broker = broker;
    this.#following = following;
  }

  wake(): void {
    if (!this.#isRunning) void this.#run();
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    await Promise.resolve();
    while (!this.#isStopped && this.#broker.connection.isConnected) {
      if (this.#broker.delayMs > 0) await sleep(this.#broker.delayMs);
      const next = this.#following.next();
      if (next === undefined || this.#isStopped) break;
      this.#broker.carrier.count(next.octets);
      await Promise.resolve(next.hand()).catch(() => {});
    }
    this.#isRunning = false;
  }
}

class Kept implements Source {
  readonly followers = new Set<() => void>();
  readonly #history: number;
  readonly #byKey = new Map<string, (Entry | Deleted)[]>();
  #revision = 0;

  constructor(history: number) {
    this.#history = history;
  }

  clear(): void {
    this.#byKey.clear();
    this.#revision = 0;
  }

  get keys(): string[] {
    return [...this.#byKey.keys()];
  }

  get all(): (Entry | Deleted)[] {
    return [...this.#byKey.values()].flat();
  }

  latest(key: string): Entry | Deleted | undefined {
    return this.#byKey.get(key)?.at(-1);
  }

  append(key: string, value: Uint8Array | null): number {
    const revision = ++this.#revision;
    const created = new Date();
    const entry = value === null ? { key, value, revision, created } : { key, value: value.slice(), revision, created };
    const entries = [...(this.#byKey.get(key) ?? []), entry].slice(-this.#history);
    this.#byKey.delete(key);
    this.#byKey.set(key, entries);
    for (const wake of this.followers) wake();
    return revision;
  }
}

class Watching implements Following {
  readonly #kept: Kept;
  readonly #keys: string;
  readonly #handler: WatchHandler;
  readonly #seen = new Map<string, number>();
  #isCurrent = false;

  constructor(kept: Kept, keys: string, handler: WatchHandler) {
    this.#kept = kept;
    this.#keys = keys;
    this.#handler = handler;
  }

  next() {
    const key = this.#kept.keys.find((each) => this.#isNews(each));
    if (key === undefined) {
      if (!this.#isCurrent) this.#handler.onCurrent?.();
      this.#isCurrent = true;
      return undefined;
    }
    const entry = this.#kept.latest(key)!;
    this.#seen.set(key, entry.revision);
    return { octets: entry.value?.length ?? 0, hand: async () => this.#handler.onEntry(entry) };
  }

  #isNews(key: string): boolean {
    if (!fits(key, this.#keys)) return false;
    return this.#seen.get(key) !== this.#kept.latest(key)!.revision;
  }
}

class Flow implements Source {
  readonly followers = new Set<() => void>();
  readonly #options: StreamOptions;
  readonly #ids = new Map<string, number>();
  kept: StreamMessage[] = [];
  last = 0;
  #octets = 0;

  constructor(options: StreamOptions) {
    this.#options = options;
  }

  append(message: Uint8Array, id: string): void {
    const now = Date.now();
    const before = this.#ids.get(id);
    if (before !== undefined && now - before <= this.#options.duplicatesMs) return;
    this.#ids.set(id, now);
    this.kept.push({ sequence: ++this.last, message: message.slice(), id, created: new Date(now) });
    this.#octets += message.length;
    while (this.#octets > this.#options.maxBytes) this.#octets -= this.kept.shift()!.message.length;
    for (const wake of this.followers) wake();
  }
}

class Consuming implements Following {
  readonly #flow: Flow;
  readonly #handler: StreamHandler;
  #after: number;
  #isCurrent = false;

  constructor(flow: Flow, from: Position, handler: StreamHandler) {
    this.#flow = flow;
    this.#handler = handler;
    this.#after = 'after' in from ? from.after : flow.last;
    if ('since' in from) {
      const first = flow.kept.find(({ created }) => created >= from.since);
      if (first !== undefined) this.#after = first.sequence - 1;
    }
  }

  next() {
    const { kept } = this.#flow;
    const first = kept[0]?.sequence ?? 0;
    const message = kept[Math.max(0, this.#after + 1 - first)];
    if (message === undefined) {
      if (!this.#isCurrent) this.#handler.onCurrent?.();
      this.#isCurrent = true;
      return undefined;
    }
    this.#after = message.sequence;
    return { octets: message.message.length, hand: async () => this.#handler.onMessage(message) };
  }
}

function isValue(entry: Entry | Deleted): entry is Entry {
  return entry.value !== null;
}

function fits(key: string, pattern: string): boolean {
  if (pattern === '>') return true;
  return pattern.endsWith('.>') ? key.startsWith(pattern.slice(0, -1)) : key === pattern;
}
